"""Every night's trades in Dagster: the partition is the date that is replayed.

Install: replay beside Dagster (`pip install .` in its source folder);
         `dagster dev -f dagster_job.py`, or name this file in workspace.yaml.
Change:  TRADES, and the start date. The checkpoints lie in `state_dir`: give it a disk that every run sees.
Again:   a date that is done sends nothing, so materializing a partition again is safe. Earlier dates: a backfill.

The asset replays in the process of its step, through the Python API, and not by a command. No Kafka client survives a
fork; Dagster starts a new process for a step, and forks none. And the class of an error says what to do about it.
"""

from dataclasses import replace

import dagster as dg

from replay import BrokerUnavailable, Locked, ReplayError, ReplayOptions
from replay import replay as run_replay

TRADES = ReplayOptions(
    inputs="/srv/trades/trades-{date}.parquet",
    topic="trades",
    bootstrap_servers="localhost:9092",
    create_topic="6:1",  # partitions:copies, if the topic is missing; on a cluster of three: "6:3"
    rate="5000/s",
    job="trades",
    state_dir="/var/lib/replay",
)
YESTERDAY = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition("2026-11-01", timezone="UTC"),
    deps=[dg.AssetDep("trades_topic", partition_mapping=YESTERDAY)],  # a backfill: the oldest date first, one by one
    pool="trades_topic",  # give it a limit of 1: two dates at a time would mix the trades of a symbol
)
def trades_topic(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The topic with all trades of the date."""
    try:
        result = run_replay(replace(TRADES, date=context.partition_key))
    except (BrokerUnavailable, Locked) as error:  # exits 5 and 6: time heals them
        raise dg.RetryRequested(max_retries=5, seconds_to_wait=60) from error
    except ReplayError as error:  # 2, 3, 4, 7: a retry would only fail again
        raise dg.Failure(str(error), allow_retries=False) from error
    return dg.MaterializeResult(metadata={"rows_in_topic": result.in_topic, "seconds": result.seconds})


replay_trades = dg.define_asset_job("replay_trades", [trades_topic])
nightly = dg.build_schedule_from_partitioned_job(replay_trades, hour_of_day=2, minute_of_hour=30)
defs = dg.Definitions(assets=[trades_topic], jobs=[replay_trades], schedules=[nightly])
