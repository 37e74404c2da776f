"""Which tables are monthly, and what keeps their months ahead of the clock."""
