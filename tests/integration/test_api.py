"""`replay()` from Python on a real broker: what a notebook or a workflow engine relies on."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from dataclasses import replace as changed
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from loguru import logger

from replay import (
    BrokerUnavailable,
    CheckpointUnwritable,
    Different,
    InputError,
    Locked,
    Outcome,
    ProducerFatal,
    ReplayError,
    ReplayOptions,
    Snapshot,
    StateConflict,
    Stopped,
    UsageError,
    replay,
)
from replay.api import run
from replay.checkpoint.file import CheckpointFile
from replay.delivery import job
from replay.watch.logs import librdkafka
from tests.conftest import Broker
from tests.integration.test_cli import env
from tests.integration.test_cli import replay as command
from tests.support.kafka_cluster import KafkaCluster
from tests.support.night_folder import NightFolder
from tests.support.process import ROOT
from tests.support.readback import compare, read_topic
from tests.support.scenario import Trades, make_trades
from tests.support.topics import create_topic

ROWS = 3_000
CLOSED = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def _listens() -> None:
    """As in a program that imports the API and nothing else; other tests call commands in this process."""
    librdkafka.listen(run._librdkafka)


@pytest.fixture(scope="module")
def trades(tmp_path_factory: pytest.TempPathFactory) -> Trades:
    return make_trades(tmp_path_factory.mktemp("trades") / "in", ROWS)


@pytest.fixture
def options(trades: Trades, kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> ReplayOptions:
    return ReplayOptions(
        inputs=trades.folder,
        topic=topic,
        bootstrap_servers=kafka.bootstrap_servers,
        create_topic=3,
        state_dir=tmp_path / "state",
    )


def is_exact(options: ReplayOptions, trades: Trades) -> bool:
    verdict = compare(trades.rows, read_topic(str(options.bootstrap_servers), str(options.topic)))
    assert verdict.exact, str(verdict)
    return True


class Progress:
    """Keeps what it is shown; `reached` once so many rows are in the topic."""

    def __init__(self, rows: int) -> None:
        self.rows, self.seen = rows, list[Snapshot]()

    def __call__(self, snapshot: Snapshot) -> None:
        self.seen.append(snapshot)

    def reached(self) -> bool:
        return bool(self.seen) and self.seen[-1].counts.in_topic >= self.rows


@pytest.mark.parametrize("delivery", ["idempotent", "transactional"])
def test_all_rows_are_in_the_topic_once_it_returns(options: ReplayOptions, trades: Trades, delivery: str) -> None:
    """Broken: whoever goes on after it has returned works with a topic that lacks rows, or has them twice."""
    wanted = changed(options, delivery=delivery, progress_topic=f"{options.topic}-progress", verify=True)
    result = replay(wanted)
    assert is_exact(options, trades)
    assert (result.outcome, result.nothing_to_do) == (Outcome.DONE, False)
    assert (result.of_rows, result.in_topic, result.not_selected, result.bad) == (ROWS, ROWS, 0, 0)
    assert (result.sent_rows, result.topic, result.job, result.date) == (ROWS, options.topic, options.topic, None)
    assert result.checkpoint == Path(str(options.state_dir)) / f"{options.topic}.json"
    assert result.verdict is not None
    assert result.verdict["exact"]
    assert 0 < result.sending_seconds <= result.seconds

    again = replay(wanted)
    assert (again.outcome, again.nothing_to_do, again.sent_rows, again.in_topic) == (Outcome.WAS_DONE, True, 0, ROWS)
    assert is_exact(options, trades)


def test_a_replay_that_is_stopped_goes_on_where_it_was(options: ReplayOptions, trades: Trades) -> None:
    """Broken: a stop from a notebook loses rows, or sends them twice."""
    progress = Progress(ROWS // 3)
    with pytest.raises(Stopped) as stopped:
        replay(changed(options, rate=4_000, batch_rows=100), on_progress=progress, stop=progress.reached)
    assert stopped.value.is_clean
    assert stopped.value.exit_code == 143
    assert ROWS // 3 <= progress.seen[-1].counts.in_topic < ROWS
    assert progress.seen[0].counts.in_topic < ROWS // 3  # it stands still, though more was sent since
    result = replay(options)
    assert 0 < result.sent_rows < ROWS
    assert result.in_topic == ROWS
    assert is_exact(options, trades)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_error_of_the_callback_ends_it_and_the_next_call_goes_on(
    options: ReplayOptions, trades: Trades, error: type[BaseException]
) -> None:
    """Broken: a bug in a progress bar, or Ctrl-C in a notebook, leaves a topic that no call brings in order."""
    progress = Progress(ROWS // 3)

    def fails(snapshot: Snapshot) -> None:
        progress(snapshot)
        if progress.reached():
            raise error

    with pytest.raises(error):
        replay(changed(options, rate=4_000, batch_rows=100, settle=0), on_progress=fails)
    assert replay(changed(options, settle=0)).in_topic == ROWS
    assert is_exact(options, trades)


def test_the_command_goes_on_where_python_was_stopped(options: ReplayOptions, trades: Trades) -> None:
    """Broken: an operator who takes over by hand doubles what the engine has sent."""
    progress = Progress(ROWS // 3)
    with pytest.raises(Stopped):
        replay(changed(options, rate=4_000, batch_rows=100), on_progress=progress, stop=progress.reached)
    state = ("--state-dir", str(options.state_dir))
    target = ("--topic", str(options.topic), "--bootstrap-servers", str(options.bootstrap_servers))
    done = command("run", trades.folder, *target, *state, "--create-topic", "3")
    assert done.returncode == 0, done.stderr
    assert is_exact(options, trades)
    told = command("history", *state, "--output", "json")
    assert told.stdout.count('"run_id"') == 2, told.stdout


def test_two_threads_replay_at_the_same_time(options: ReplayOptions, trades: Trades) -> None:
    """Broken: two cells, or two tasks of a worker with threads, mix up their rows."""
    both = [changed(options, topic=f"{options.topic}-{n}", rate=4_000) for n in range(2)]
    results: dict[str, int] = {}

    def work(each: ReplayOptions) -> None:
        results[str(each.topic)] = replay(each).in_topic

    threads = [threading.Thread(target=work, args=(each,)) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {str(each.topic): ROWS for each in both}
    assert all(is_exact(each, trades) for each in both)


def test_errors_have_the_classes_and_codes_of_the_command(
    options: ReplayOptions, trades: Trades, tmp_path: Path
) -> None:
    """Broken: an engine cannot tell what to retry from what a person has to look at."""

    def fails(kind: type[ReplayError], code: int, **more: Any) -> ReplayError:
        with pytest.raises(kind) as error:
            replay(changed(options, **more))
        assert error.value.exit_code == code
        return error.value

    assert fails(UsageError, 2, rate="-5").where == "ReplayOptions.rate"
    fails(UsageError, 2, topic=None)
    fails(UsageError, 2, kafka={"enable.idempotence": False})
    fails(InputError, 3, inputs=tmp_path / "nothing.parquet")
    fails(InputError, 3, inputs=trades.folder / "{date}.parquet", date=date(2026, 11, 1))
    fails(BrokerUnavailable, 5, bootstrap_servers=CLOSED, broker_timeout=0.5)
    with CheckpointFile(Path(str(options.state_dir)) / f"{options.topic}.json").locked():
        fails(Locked, 6)
    with mock.patch.object(job, "run", side_effect=MemoryError):
        fails(UsageError, 2)
    assert replay(options).in_topic == ROWS
    fails(StateConflict, 4, order="as-is")
    assert is_exact(options, trades)
    (tmp_path / "file").write_text("")
    fails(CheckpointUnwritable, 8, checkpoint=tmp_path / "file" / "c.json")
    create_topic(str(options.bootstrap_servers), f"{options.topic}-small", 1, config={"max.message.bytes": "100"})
    fails(ProducerFatal, 7, topic=f"{options.topic}-small", create_topic=None, row_header="id" * 60)
    with mock.patch("replay.nightly.night.read_back") as read_back:
        read_back.return_value = mock.Mock(exact=False, topic="t", as_json=dict, differences=lambda: "1 lost")
        fails(Different, 1, verify=True)


def test_nights(options: ReplayOptions, tmp_path: Path, topic: str, kafka: KafkaCluster | Broker) -> None:
    """Broken: a date takes another day's file, or a day without one fails where that was not to be."""
    nights = NightFolder(tmp_path, kafka.bootstrap_servers, topic)
    for day in (1, 2):
        nights.write(f"2026-11-0{day}.parquet", f"2026-11-0{day}T10:00:00+00:00")
    nightly = changed(options, inputs=[nights.inputs / "{date}.parquet"], job="j")
    result = replay(changed(nightly, date=date(2026, 11, 1)))
    assert (result.job, result.date) == ("j", date(2026, 11, 1))
    assert result.checkpoint == nights.state / "j" / "2026-11-01.json"
    replay(changed(nightly, date="2026-11-02"))
    assert nights.per_day() == {"2026-11-01": 5, "2026-11-02": 5}

    (tmp_path / "off").write_text("2026-11-03\n")
    off = replay(changed(nightly, date=date(2026, 11, 3), calendar=tmp_path / "off"))
    skipped = replay(changed(nightly, date=date(2026, 11, 4), missing="skip"))
    assert [off.outcome, skipped.outcome] == [Outcome.DAY_OFF, Outcome.SKIPPED]
    assert len(skipped.warnings) == 1
    looks = iter([False, False, True])
    with pytest.raises(Stopped):  # while it waits for a file
        replay(changed(nightly, date=date(2026, 11, 5), missing="wait"), stop=lambda: next(looks, True))


def test_a_job_file_is_read_and_what_is_given_here_wins(options: ReplayOptions, trades: Trades, tmp_path: Path) -> None:
    """Broken: an engine cannot use the file of the jobs that cron uses, or silently uses the file's value."""
    (tmp_path / "jobs.toml").write_text(
        f'[jobs.a]\ninputs = "{trades.folder}"\ntopic = "another"\nrate = "1/h"\n'
        f'[kafka]\n"bootstrap.servers" = "{options.bootstrap_servers}"\n"client.id" = "from-file"\n'
    )
    config = ReplayOptions(
        config=tmp_path / "jobs.toml", job="a", topic=options.topic, rate="max", create_topic="3:1",
        state_dir=options.state_dir, kafka={"client.id": "mine", "socket.keepalive.enable": True},
    )  # fmt: skip
    assert replay(config).in_topic == ROWS
    assert is_exact(options, trades)
    with pytest.raises(UsageError, match="there is no job 'b'"):
        replay(changed(config, job="b"))


def test_nothing_of_the_program_is_changed(
    options: ReplayOptions, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a notebook's Ctrl-C no longer interrupts, its logs are gone, or its output is full of ours."""
    monkeypatch.setenv("REPLAY_RATE", "1/h")  # a program's environment is not asked

    def state() -> list[Any]:
        handlers = [list(logging.getLogger(name).handlers) for name in (None, "replay", "replay.librdkafka")]
        return [[signal.getsignal(each) for each in signal.valid_signals()], repr(logger), handlers]

    before = state()
    replay(options)
    with pytest.raises(BrokerUnavailable):
        replay(changed(options, topic="another", bootstrap_servers=CLOSED, broker_timeout="500ms"))
    assert state() == before
    assert capfd.readouterr() == ("", "")


PROGRAM = """
import logging, sys, threading
from replay import ReplayOptions, replay, ReplayError
signals = [__import__("signal").getsignal(each) for each in (2, 15)]
options = ReplayOptions(inputs=sys.argv[1], topic=sys.argv[2], bootstrap_servers=sys.argv[3], state_dir=sys.argv[4],
    create_topic=1)
assert replay(options).in_topic
try:
    replay(ReplayOptions(inputs=sys.argv[1], topic="b", bootstrap_servers="127.0.0.1:1", state_dir=sys.argv[4],
        broker_timeout=1))
except ReplayError as error:
    assert error.exit_code == 5
assert [each.name for each in threading.enumerate()] == ["MainThread"], threading.enumerate()
assert not logging.getLogger().handlers
"""


def test_a_program_without_logging_hears_nothing(options: ReplayOptions) -> None:
    """Broken: librdkafka's lines fill the cell of a notebook that never asked for logs."""
    arguments = (str(options.inputs), str(options.topic), str(options.bootstrap_servers), str(options.state_dir))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env=env(),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def test_messages_go_to_logging(options: ReplayOptions) -> None:
    """Broken: the task's log in an engine says nothing of an outage, or says it in a hundred lines of librdkafka's."""
    heard, ours = Heard(), logging.getLogger("replay")
    logging.getLogger().addHandler(heard)  # as a program has it; pytest's own also hears what goes no further
    ours.setLevel(logging.INFO)
    try:
        replay(options)
        with pytest.raises(BrokerUnavailable):
            replay(changed(options, topic="another", bootstrap_servers=CLOSED, broker_timeout=0.5))
    finally:
        logging.getLogger().removeHandler(heard)
        ours.setLevel(logging.NOTSET)
    texts = [each.getMessage() for each in heard.records]
    assert {each.name for each in heard.records} == {"replay"}, texts
    assert len(texts) < 12, texts


def test_a_replay_does_not_warn_of_what_an_earlier_one_read(options: ReplayOptions, tmp_path: Path) -> None:
    """Broken: a program that replays twice is warned, the second time, of a secret that is not this replay's."""
    secret, config = tmp_path / "client-name", tmp_path / "job.toml"
    secret.write_text("a-name-of-a-client")
    secret.chmod(0o644)
    config.write_text(f'[job]\n[kafka]\n"client.id" = "${{file:{secret}}}"\n')
    (warning,) = replay(changed(options, config=config)).warnings
    assert f"{secret} holds a secret" in warning
    assert replay(options).warnings == ()


def test_a_broker_inside_the_process_is_refused(options: ReplayOptions, tmp_path: Path) -> None:
    """Broken: the job file says `embedded`, and the rows go to the real cluster."""
    config = tmp_path / "job.toml"
    config.write_text("embedded = true\n")
    with pytest.raises(UsageError, match="broker inside this process") as caught:
        replay(changed(options, config=config))
    assert "job.toml" in caught.value.where


def test_names_that_are_no_list_are_refused(options: ReplayOptions) -> None:
    """Broken: a set of symbols is taken for one symbol of an odd name, so that none is left out."""
    with pytest.raises(UsageError, match="cannot be read") as caught:
        replay(changed(options, exclude_symbols={"A", "B"}))  # type: ignore[arg-type]
    assert caught.value.where == "ReplayOptions.exclude_symbols"
