"""From a batch to keys, values, timestamps, partitions and headers."""
