"""What a command says while it works and afterwards: logs, metrics, a summary, a report, a notification."""

from dataclasses import dataclass
from enum import StrEnum

from replay.cli.options.declare import Harmless, watch
from replay.watch.run import NotifyOn


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Logging(Harmless):
    """How a command talks."""

    log_format: LogFormat = watch(LogFormat.TEXT, "Log lines on stderr as text, or as one JSON object a line.")
    log_file: str | None = watch(None, "Write log lines to this file, too.", metavar="FILE")
    log_rotate: str = watch("10MB", "Begin a new log file at this size or age: 10MB or 1d.", metavar="SIZE|DURATION")
    log_keep: str = watch(
        "10", "Keep this many old log files, or those younger than this: 10 or 14d.", metavar="NUMBER|DURATION"
    )
    quiet: bool = watch(False, "Say only what went wrong: no progress, no summary.", short="-q")
    no_color: bool = watch(False, "No colours. The variable NO_COLOR does the same.")
    debug: bool = watch(False, "Show debug logs, and the traceback of an error.")


@dataclass(frozen=True)
class Watching(Harmless):
    """What watches a run, and what is written or sent at its end."""

    metrics_port: int | None = watch(None, "Serve Prometheus metrics on this port.", min=1, max=65_535)
    metrics_address: str = watch("127.0.0.1", "With --metrics-port: the address to listen on.", metavar="ADDRESS")
    metrics_textfile: str | None = watch(
        None,
        "Write metrics for the textfile collector of node_exporter: into this folder, one file for each job, or to"
        " this file, whose name may hold {job} and {date}.",
        metavar="FOLDER|FILE",
    )
    metrics_push: str | None = watch(None, "Push metrics to this Pushgateway.", metavar="URL")
    summary_json: str | None = watch(
        None,
        "At the end, write a summary as JSON to this file, whose name may hold {job} and {date}, or to standard"
        " output (-).",
        metavar="FILE|-",
    )
    report: str | None = watch(
        None, "At the end, write a page in HTML to this file, whose name may hold {job} and {date}.", metavar="FILE"
    )
    notify: str | None = watch(
        None,
        "At the end, call a webhook (https://...), or a command that reads JSON from standard input.",
        metavar="URL|COMMAND",
    )
    notify_on: NotifyOn = watch(
        NotifyOn.FAILURE, "With --notify: after a failure or a stop by a signal (failure), after a success, or always."
    )
