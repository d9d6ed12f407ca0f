"""How each replay stands: its checkpoint, joined with its last run."""
