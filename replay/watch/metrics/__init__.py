"""Metrics of a run: what is known at one moment, in the words of Prometheus, and how it gets out."""
