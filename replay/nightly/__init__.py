"""Many replays: job files, logical dates, backfills, the schedule."""
