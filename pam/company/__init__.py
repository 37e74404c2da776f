"""A company that could exist, made up from a seed: to try things on a database that has something in it."""
