"""Lines of a log: their fields, and where they are written."""
