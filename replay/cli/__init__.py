"""The command line: one file a command, options, terminal. Nothing is decided here."""
