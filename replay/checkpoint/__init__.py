"""How far a replay has come: what is saved, the file, and what fits it on a resume."""
