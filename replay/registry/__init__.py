"""The schema registry: who has which schema, under which id."""
