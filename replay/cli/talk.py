"""Log lines of a command: how they are set up, and the one that says why it failed."""

from __future__ import annotations

from loguru import logger
from rich.console import Console

from replay.cli.options.watching import LogFormat, Logging
from replay.errors import AS_TOLD, Stopped, as_told, exit_code
from replay.watch.logs import lines
from replay.watch.logs.file import parse_log_file


def set_up_logging(logging: Logging, console: Console, warnings: list[str]) -> None:
    """On stderr first: if the log file cannot be written, the error is logged there. Tells the warnings, once."""
    as_json = logging.log_format is LogFormat.JSON
    lines.set_up_logging(json=as_json, debug=logging.debug, quiet=logging.quiet, console=console)
    if logging.log_file is not None:
        file = parse_log_file(logging.log_file, logging.log_rotate, logging.log_keep)
        lines.set_up_logging(json=as_json, debug=logging.debug, quiet=logging.quiet, console=console, file=file)
    while warnings:
        logger.warning(warnings.pop(0))


def log_error(error: Exception, *, debug: bool) -> None:
    """What went wrong, as the last line."""
    line = logger.bind(**lines.fields_of(error))
    if debug:
        line.opt(exception=True).debug("traceback of the error below")
    line = line.bind(exit_code=int(exit_code(error)))
    if isinstance(error, Stopped):
        line.log("INFO" if error.is_clean else "WARNING", "{}", error)  # as somebody asked for: no error
    elif isinstance(error, AS_TOLD):
        line.error("{}", as_told(error))
    else:
        line.error(
            "this is a bug in replay: {}: {}\n  -> please report it with the output of --debug; progress is safe",
            type(error).__name__,
            error,
        )
