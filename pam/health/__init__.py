"""Facts in, findings out: what is wrong with a database, by how much, and the next command. No look at the database."""
