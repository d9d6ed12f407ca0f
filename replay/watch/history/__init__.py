"""The history of runs: a database in the state folder, who writes it, and what is asked of it."""
