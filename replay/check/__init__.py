"""Whether a replay could begin: broker, login, rights, topic, registry and input looked at, and nothing changed."""
