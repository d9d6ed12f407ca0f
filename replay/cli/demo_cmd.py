"""`replay demo`: the main job on the shipped trades, killed half-way, resumed, and checked against the topic.

The embedded broker lives in this process; the first replay is a child process that gets a real SIGKILL, the second
one runs here, with the checkpoint and the topic that the first left behind.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import typer
from loguru import logger
from rich.table import Table

from replay.checkpoint.content import loads
from replay.cli.call import Call
from replay.cli.terminal import Terminal, terminal_on
from replay.delivery import job
from replay.delivery.options import Pace, RunOptions
from replay.errors import BrokerUnavailable, ExitCode, InputError
from replay.kafka.cluster import connect
from replay.kafka.embedded import EmbeddedBroker
from replay.kafka.options import KafkaOptions
from replay.kafka.reader import READ_UNCOMMITTED
from replay.model import SystemClock
from replay.signals import Stop
from replay.source.options import SourceOptions
from replay.verify.job import VerifyOptions, verify

TOPIC = "trades"
RATE = 5_000.0  # 20,000 rows in 4 s: long enough to be interrupted, short enough to wait for
KILL_AFTER_ROWS = 9_000  # about half; the kill comes between this save and the next
KILL_DELAY_S = 0.5  # half of the checkpoint interval, so that rows are in the topic of which no checkpoint knows
CHILD_TIMEOUT_S = 20.0


def demo(call: Call) -> None:
    """Exit 1 unless the topic holds each row once, in order."""
    console = call.console
    inputs = (str(sample_folder()),)
    with EmbeddedBroker(TOPIC) as broker, tempfile.TemporaryDirectory(prefix="replay-demo-") as folder:
        checkpoint = Path(folder) / "checkpoint.json"
        logger.info("1. replay {} into an embedded broker at {:,.0f} rows/s, in a process of its own", inputs[0], RATE)
        saved_row = _run_and_kill(inputs, broker, checkpoint)
        terminal = terminal_on(console, 1.0)
        kafka = KafkaOptions(broker.bootstrap_servers, TOPIC, broker_timeout_s=30.0)
        in_topic = _records_in(kafka, terminal)
        logger.info(
            "2. killed (SIGKILL): the checkpoint knows {:,} rows, the topic holds {:,}. Run the same again:",
            saved_row,
            in_topic,
        )
        options = RunOptions(SourceOptions(inputs), checkpoint, kafka, pace=Pace(rows_per_s=RATE))
        with terminal.live():
            shown = job.run(options, Stop(), terminal)
        logger.info("3. read the topic back and compare it with the source")
        what = VerifyOptions(SourceOptions(inputs), kafka, isolation=READ_UNCOMMITTED)
        check = verify(what, terminal, lambda: None)
        table = Table("", "rows", title="replay demo: killed half-way, resumed, checked")
        for label, count in (
            ("in the source", shown.rows),
            ("sent before the kill", in_topic),
            ("of these not in the checkpoint, found in the topic", shown.already_there_rows),
            ("sent after the kill", shown.sent_rows),
            ("in the topic", check.found),
            ("lost", check.lost),
            ("duplicated", check.duplicated),
            ("out of order", check.out_of_order),
        ):
            table.add_row(label, f"{count:,}")
        type(console)().print(table)  # to standard output: it is the result
    if not check.exact:
        raise typer.Exit(ExitCode.DIFFERENT)


def sample_folder() -> Path:
    """The shipped trades: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "_data", package.parent / "data"):
        if any(folder.glob("*.parquet")):
            return folder
    raise InputError("the shipped trades are missing", where=str(package / "_data"), todo="install the package again")


def _run_and_kill(inputs: tuple[str, ...], broker: EmbeddedBroker, checkpoint: Path) -> int:
    """A replay in a child process, killed without warning; the row its last checkpoint knows."""
    command = [sys.executable, "-m", "replay", "run", *inputs, "--topic", TOPIC, "--checkpoint", str(checkpoint)]
    command += ["--bootstrap-servers", broker.bootstrap_servers, "--rate", f"{RATE:.0f}/s", "--progress-seconds", "1"]
    command += ["--state-dir", str(checkpoint.parent)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + CHILD_TIMEOUT_S
        while _saved_row(checkpoint) < KILL_AFTER_ROWS:
            if child.poll() is not None or time.monotonic() > deadline_s:
                raise BrokerUnavailable("the first replay did not get half-way", where="demo", todo="see the log above")
            time.sleep(0.02)
        time.sleep(KILL_DELAY_S)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    return _saved_row(checkpoint)


def _saved_row(checkpoint: Path) -> int:
    try:
        return loads(checkpoint.read_bytes()).progress.position.row
    except FileNotFoundError:
        return 0


def _records_in(kafka: KafkaOptions, terminal: Terminal) -> int:
    with closing(connect(kafka, terminal, SystemClock(), lambda: None)) as cluster:
        topic = cluster.topic()
        return sum(cluster.high_watermarks(topic)) if topic else 0
