"""Watching a replay: history and status, metrics, logs, report, notifications. None of them can end a replay."""
