"""The database, for who verifies it here: what the commands say, a page each. Nothing here changes anything."""
