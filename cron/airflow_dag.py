"""Every night's trades in Airflow 3: the logical date is the date that is replayed.

Install: replay beside Airflow (`pip install .` in its source folder), on every worker; copy this file into
         the folder of DAGs.
Change:  TRADES, and the start date. The checkpoints lie in `state_dir`: give it a disk that every worker sees.
Again:   a date that is done sends nothing, so clearing a task is safe. Earlier dates: `airflow backfill create`.

The task replays in its own process, through the Python API, and not by a command. No Kafka client survives a fork;
Airflow forks before it runs the task, when there is none. And the class of an error says what to do about it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException
from airflow.timetables.interval import CronDataIntervalTimetable

from replay import BrokerUnavailable, Locked, ReplayError, ReplayOptions, Stopped
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


class Replay(BaseOperator):
    """One replay of one date. Returns how many rows the topic holds of it."""

    template_fields = ("date",)

    def __init__(self, *, options: ReplayOptions, date: str = "{{ ds }}", **more: Any) -> None:
        super().__init__(**more)
        self.options, self.date = options, date

    def execute(self, context: Any) -> int:  # noqa: ARG002
        self._stop = Event()
        try:
            return run_replay(replace(self.options, date=self.date), stop=self._stop.is_set).in_topic
        except (BrokerUnavailable, Locked, Stopped):  # 5, 6, or stopped: Airflow tries again
            raise
        except ReplayError as error:  # 2, 3, 4, 7: a retry would only fail again
            raise AirflowFailException(str(error)) from error

    def on_kill(self) -> None:
        """Waits for what is on its way, saves, and ends. Killed before that: the next try looks into the topic."""
        self._stop.set()


with DAG(
    "replay_trades",
    # The run of a date comes when that date is over. A plain "30 2 * * *" would name the day on which it runs.
    schedule=CronDataIntervalTimetable("30 2 * * *", timezone="UTC"),
    start_date=datetime(2026, 11, 1),
    catchup=True,  # dates that were missed
    max_active_runs=1,  # one date after the other, and none after one that failed:
    default_args={"depends_on_past": True},  # a topic keeps its trades in the order in which they came
):
    Replay(
        task_id="replay",
        options=TRADES,
        retries=5,
        retry_delay=timedelta(seconds=10),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=10),
    )
