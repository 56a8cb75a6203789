"""Records on disk: SQLite files that one thread writes and any number of readers read."""
