"""What a command says while it works and afterwards: logs, metrics, a summary, a report, a notification."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from replay.cli.options.declare import Harmless, Option, Panel
from replay.watch.options import NotifyOn


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class Logging(Harmless):
    """How a command talks."""

    log_format: Annotated[
        LogFormat, Option(text="Log lines on stderr as text, or as one JSON object a line.", panel=Panel.WATCH)
    ] = LogFormat.TEXT
    log_file: Annotated[
        str | None, Option(text="Write log lines to this file, too.", panel=Panel.WATCH, metavar="FILE")
    ] = None
    log_rotate: Annotated[
        str,
        Option(
            text="Begin a new log file at this size or age: 10MB or 1d.", panel=Panel.WATCH, metavar="SIZE|DURATION"
        ),
    ] = "10MB"
    log_keep: Annotated[
        str,
        Option(
            text="Keep this many old log files, or those younger than this: 10 or 14d.",
            panel=Panel.WATCH,
            metavar="NUMBER|DURATION",
        ),
    ] = "10"
    quiet: Annotated[
        bool,
        Option(text="Say only what went wrong: no progress, no summary.", panel=Panel.WATCH, short="-q"),
    ] = False
    no_color: Annotated[bool, Option(text="No colours. The variable NO_COLOR does the same.", panel=Panel.WATCH)] = (
        False
    )
    debug: Annotated[bool, Option(text="Show debug logs, and the traceback of an error.", panel=Panel.WATCH)] = False


@dataclass(frozen=True)
class Watching(Harmless):
    """What is told of a run while it goes on, and afterwards."""

    metrics_port: Annotated[
        int | None, Option(text="Serve Prometheus metrics on this port.", panel=Panel.WATCH, min=1, max=65_535)
    ] = None
    metrics_address: Annotated[
        str, Option(text="With --metrics-port: the address to listen on.", panel=Panel.WATCH, metavar="ADDRESS")
    ] = "127.0.0.1"
    metrics_textfile: Annotated[
        str | None,
        Option(
            text="Write metrics for the textfile collector of node_exporter: into this folder, one file for each job,"
            " or to"
            " this file, whose name may hold {job} and {date}.",
            panel=Panel.WATCH,
            metavar="FOLDER|FILE",
        ),
    ] = None
    metrics_push: Annotated[
        str | None, Option(text="Push metrics to this Pushgateway.", panel=Panel.WATCH, metavar="URL")
    ] = None
    summary_json: Annotated[
        str | None,
        Option(
            text="At the end, write a summary as JSON to this file, whose name may hold {job} and {date}, or to"
            " standard"
            " output (-).",
            panel=Panel.WATCH,
            metavar="FILE|-",
        ),
    ] = None
    report: Annotated[
        str | None,
        Option(
            text="At the end, write a page in HTML to this file, whose name may hold {job} and {date}.",
            panel=Panel.WATCH,
            metavar="FILE",
        ),
    ] = None
    notify: Annotated[
        str | None,
        Option(
            text="At the end, call a webhook (https://...), or a command that reads JSON from standard input.",
            panel=Panel.WATCH,
            metavar="URL|COMMAND",
        ),
    ] = None
    notify_on: Annotated[
        NotifyOn,
        Option(text="With --notify: after a failure, after a success, or always.", panel=Panel.WATCH),
    ] = NotifyOn.FAILURE
