"""Lake tables: which files are rows of one state of a table."""
