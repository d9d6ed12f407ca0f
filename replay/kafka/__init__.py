"""Everything that talks to Kafka, and nothing else does."""
