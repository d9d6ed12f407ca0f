"""Which rows are replayed: by symbol, time, condition, sample."""
