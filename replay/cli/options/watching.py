"""What a command says while it works and afterwards: logs, metrics, a summary, a report, a notification."""

from dataclasses import dataclass
from enum import StrEnum

from replay.cli.options.declare import Harmless, Panel, option
from replay.watch.options import NotifyOn


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Logging(Harmless):
    """How a command talks."""

    log_format: LogFormat = option(
        LogFormat.TEXT, "Log lines on stderr as text, or as one JSON object a line.", Panel.WATCH
    )
    log_file: str | None = option(None, "Write log lines to this file, too.", Panel.WATCH, metavar="FILE")
    log_rotate: str = option(
        "10MB", "Begin a new log file at this size or age: 10MB or 1d.", Panel.WATCH, metavar="SIZE|DURATION"
    )
    log_keep: str = option(
        "10",
        "Keep this many old log files, or those younger than this: 10 or 14d.",
        Panel.WATCH,
        metavar="NUMBER|DURATION",
    )
    quiet: bool = option(False, "Say only what went wrong: no progress, no summary.", Panel.WATCH, short="-q")
    no_color: bool = option(False, "No colours. The variable NO_COLOR does the same.", Panel.WATCH)
    debug: bool = option(False, "Show debug logs, and the traceback of an error.", Panel.WATCH)


@dataclass(frozen=True)
class Watching(Harmless):
    """What watches a run, and what is written or sent at its end."""

    metrics_port: int | None = option(None, "Serve Prometheus metrics on this port.", Panel.WATCH, min=1, max=65_535)
    metrics_address: str = option(
        "127.0.0.1", "With --metrics-port: the address to listen on.", Panel.WATCH, metavar="ADDRESS"
    )
    metrics_textfile: str | None = option(
        None,
        "Write metrics for the textfile collector of node_exporter: into this folder, one file for each job, or to"
        " this file, whose name may hold {job} and {date}.",
        Panel.WATCH,
        metavar="FOLDER|FILE",
    )
    metrics_push: str | None = option(None, "Push metrics to this Pushgateway.", Panel.WATCH, metavar="URL")
    summary_json: str | None = option(
        None,
        "At the end, write a summary as JSON to this file, whose name may hold {job} and {date}, or to standard"
        " output (-).",
        Panel.WATCH,
        metavar="FILE|-",
    )
    report: str | None = option(
        None,
        "At the end, write a page in HTML to this file, whose name may hold {job} and {date}.",
        Panel.WATCH,
        metavar="FILE",
    )
    notify: str | None = option(
        None,
        "At the end, call a webhook (https://...), or a command that reads JSON from standard input.",
        Panel.WATCH,
        metavar="URL|COMMAND",
    )
    notify_on: NotifyOn = option(
        NotifyOn.FAILURE,
        "With --notify: after a failure or a stop by a signal (failure), after a success, or always.",
        Panel.WATCH,
    )
