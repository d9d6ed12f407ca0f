"""`replay()`: what `replay run` does, for notebooks and workflow engines."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from dataclasses import replace as changed

from replay.api.options import ReplayOptions, given
from replay.api.result import Outcome, ReplayResult
from replay.cli import resolve
from replay.cli.given import Options, warnings
from replay.cli.origins import blaming
from replay.delivery.job_name import JobName
from replay.delivery.options import RunOptions
from replay.delivery.snapshot import Snapshot
from replay.errors import Stopped, as_told
from replay.nightly import night
from replay.nightly.missing import Found
from replay.nightly.night import Night
from replay.secrets import hidden
from replay.signals import Stop
from replay.verify.verdict import Verdict
from replay.watch.logs import librdkafka

log = logging.getLogger("replay")
log.addHandler(logging.NullHandler())  # as libraries do: unheard until the program sets logging up


def _librdkafka(level: int, text: str, _: int | None) -> None:
    log.log(level, "%s", hidden(text))


librdkafka.listen(_librdkafka)

OnProgress = Callable[[Snapshot], None]


def replay(
    options: ReplayOptions, *, on_progress: OnProgress | None = None, stop: Callable[[], bool] | None = None
) -> ReplayResult:
    """Start or resume one replay. Returns once the topic holds every row exactly once, each symbol in its order.

    It returns where `replay run` ends with exit code 0, and raises where that ends with another. Call it again after
    any error: it sends only what is missing. Checkpoint, lock and history are those of the command: `replay status`
    knows of it, and either goes on where the other was stopped.

    `on_progress` is called about ten times a second, in this thread, with a view that does not change afterwards. An
    error that it raises ends the replay, and is raised again.

    `stop` is asked about as often. Once it says True, acknowledgements of what was sent are waited for
    (`drain_timeout`), progress is saved, and `Stopped` is raised. `threading.Event().is_set` will do.

    Messages go to the logger `replay` of `logging`, librdkafka's among them. Nothing is printed, and no signal is
    handled: a KeyboardInterrupt ends the replay as an error would. Threads may replay at the same time, each with a
    checkpoint of its own. A process must not fork once it has called this: Kafka clients do not survive it.

    Raises `ReplayError`, whose `exit_code` is that of the command: `UsageError` (2), `InputError` (3), `StateConflict`
    (4), `BrokerUnavailable` (5), `Locked` (6), `ProducerFatal` (7), `CheckpointUnwritable` (8), `Different` (1, with
    `verify`), `Stopped` (143). 5 and 6 may go away with time. Any other exception is a bug, or came from `on_progress`.
    """
    try:
        found = given(options)
        with blaming(found):
            return _Call(found, on_progress, stop).run()
    except (MemoryError, PermissionError) as error:
        raise as_told(error) from error


class _AskedToStop(Stop):
    """Instead of signals, the caller's function."""

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        super().__init__(again="call it again to go on from here")
        self._is_stopped = is_stopped

    @property
    def is_asked(self) -> bool:
        return self._is_stopped()

    @property
    def sooner(self) -> str:
        return ""

    def check(self) -> None:
        if self._is_stopped():
            raise Stopped(signal.SIGTERM, "stopped by the caller", self.again)


class _Display:
    """Passes progress on, and logs the rest."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self.last: Snapshot | None = None
        self.warnings: list[str] = []

    def info(self, message: str) -> None:
        log.info("%s", message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)
        log.warning("%s", message)

    def phase(self, name: str, done_rows: int, rows: int) -> None:
        log.debug("%s: %s of %s rows", name, f"{done_rows:,}", f"{rows:,}")

    def progress(self, snapshot: Snapshot) -> None:
        self.last = snapshot
        if (call := self._on_progress) is not None:
            self._on_progress = None  # not again if it fails: what was sent is still to be saved
            call(snapshot)
            self._on_progress = call


class _Call:
    def __init__(self, options: Options, on_progress: OnProgress | None, is_stopped: Callable[[], bool] | None) -> None:
        self._options = options
        self._display = _Display(on_progress)
        self._stop = _AskedToStop(is_stopped or (lambda: False))
        self._verdicts: list[Verdict] = []

    def run(self) -> ReplayResult:
        began_s = time.monotonic()
        for text in warnings(self._options):
            self._display.warning(text)
        name = resolve.job_name(self._options)
        options, absent = resolve.whole_run(self._options, name)
        watch = resolve.watch_options(self._options, name, options.kafka.topic)
        found = night.files_of_date(options.source.inputs, name, absent, self._display, self._stop)
        ended = None
        if found is not Found.SKIPPED:
            info = night.info(options, name, found, self._options.texts(), self._options.origins())
            replayed = Night(options, name, watch, info, self._options["verify_after"])
            ended = night.run(replayed, found, self._stop, self._display, self._verdicts.append)
        return self._result(name, options, found, ended, time.monotonic() - began_s)

    def _result(
        self, name: JobName, options: RunOptions, found: Found | None, ended: Snapshot | None, seconds: float
    ) -> ReplayResult:
        result = ReplayResult(
            outcome=Outcome.SKIPPED if found is Found.SKIPPED else Outcome.DAY_OFF,
            topic=options.kafka.topic,
            job=name.job or options.kafka.topic,
            date=name.day,
            checkpoint=options.checkpoint,
            seconds=seconds,
            warnings=tuple(self._display.warnings),
        )
        if ended is None:
            return result
        counts = ended.counts
        return changed(
            result,
            outcome=_outcome(ended),
            of_rows=counts.of_rows,
            in_topic=counts.in_topic,
            not_selected=counts.not_selected,
            bad=counts.bad,
            bad_by_reason=dict(counts.bad_by_reason),
            sent_rows=ended.delivered_rows,
            sending_seconds=ended.sending_s,
            verdict=self._verdicts[0].as_json() if self._verdicts else None,
        )


def _outcome(ended: Snapshot) -> Outcome:
    if ended.nothing_selected:
        return Outcome.EMPTY
    return Outcome.WAS_DONE if ended.begun_in_topic is None else Outcome.DONE
