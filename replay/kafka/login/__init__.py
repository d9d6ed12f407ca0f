"""Logins: passwords and tokens, where they come from, and that they are renewed."""
