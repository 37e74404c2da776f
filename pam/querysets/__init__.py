"""The vocabulary of the tables: what people ask of them, one file per subject."""
