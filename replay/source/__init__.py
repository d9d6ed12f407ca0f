"""From the names of inputs to batches of judged rows in one order."""
