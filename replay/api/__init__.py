"""The Python API: `from replay import replay, ReplayOptions, ReplayResult`. It does what `replay run` does."""
