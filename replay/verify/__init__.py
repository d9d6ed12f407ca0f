"""Read the topic back and compare it with the source."""
