"""Which rows are replayed."""
