"""A replay as one page of HTML."""
