"""The database backend below psqlextra's: the embedded server, and clear words when a connection fails."""
