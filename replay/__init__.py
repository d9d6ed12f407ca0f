"""Replay historical trades from Parquet into Kafka: in order, paced, checkpointed, exactly once."""

__version__ = "0.2.0"
