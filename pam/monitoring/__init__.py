"""A database is looked at, and what was seen is judged by `pam.health`: for commands, checks, reports and metrics."""
