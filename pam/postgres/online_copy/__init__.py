"""Turns a live table into one of monthly partitions, or back, beside its readers and writers.

The engine builds the table as it shall be next to the live one, keeps it equal, and swaps the names. `engine.py` has
the steps in their order; each other module is one of them.
"""
