"""What tells of replays: history and status, metrics, logs, the report. None of it ever ends one."""
