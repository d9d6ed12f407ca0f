"""Where the metrics of a run go: a port to scrape, a file for node_exporter, a push gateway. None can end a replay."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replay.atomic_file import replace_file
from replay.delivery.snapshot import Display
from replay.errors import UsageError, install_extra
from replay.model import Clock
from replay.watch.beside import Beside
from replay.watch.history.database import History
from replay.watch.run import RunInfo, RunOutcome, ending

TEXTFILE_S = 5.0  # node_exporter is scraped every 15 s or so
PUSH_S = 15.0
READABLE = 0o644  # node_exporter is another user, and there is no secret in it
END_WAIT_S = 10.0  # how long the last values may take to get out


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """Where metrics go; None: not there. `push` is a gateway's address, and may hold user and password."""

    port: int | None = None
    address: str = "127.0.0.1"
    textfile: Path | None = None
    push: str | None = None

    @property
    def wanted(self) -> bool:
        return self.port is not None or self.textfile is not None or self.push is not None


def check(options: MetricsOptions) -> None:
    """Raises `UsageError` for what cannot work at all, before the run begins."""
    if not options.wanted:
        return
    prometheus = _prometheus()
    if options.push is not None:
        prometheus.gateway_address(options.push)
    if options.textfile is not None and options.textfile.suffix != ".prom":
        raise UsageError(
            f"node_exporter reads *.prom only, not {options.textfile.name!r}",
            where="--metrics-textfile",
            todo="name it like /var/lib/node_exporter/replay-nightly.prom",
        )


def _prometheus() -> Any:
    try:
        from replay.watch.metrics import prometheus  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        raise UsageError(
            "metrics need the package prometheus-client, which is not installed",
            where="--metrics-port, --metrics-textfile, --metrics-push",
            todo=install_extra("metrics"),
        ) from None
    return prometheus


@contextmanager
def exporting(options: MetricsOptions, info: RunInfo, to: Display, history: History, clock: Clock) -> Iterator[Display]:
    """Values go out from here on, and a last time once this is left. The job's last success, of any date, is asked of
    `history`: it must not vanish while the next run lasts."""
    if not options.wanted:
        yield to
        return
    prometheus = _prometheus()
    metrics = prometheus.Metrics(to, history.last_successes().get(info.job), clock)
    exporter = prometheus.Exporter(info, metrics)
    outputs = _outputs(options, exporter, to)
    stop_serving = _served(options, exporter, to)

    def close(outcome: RunOutcome) -> None:
        metrics.close(outcome)
        for name, output in outputs.items():
            if not output.finish(END_WAIT_S):
                to.warning(f"the last metrics are not out yet, and not waited for any longer ({name})")
        stop_serving()

    with ending(close):
        yield metrics


def _served(options: MetricsOptions, exporter: Any, to: Display) -> Any:
    if options.port is None:
        return lambda: None
    try:
        close, port = exporter.serve(options.port, options.address)
    except (OSError, OverflowError) as error:
        to.warning(f"no metrics on {options.address}:{options.port} (--metrics-port): {error}; the replay goes on")
        return lambda: None
    host = f"[{options.address}]" if ":" in options.address else options.address
    to.info(f"metrics on http://{host}:{port}/metrics")
    if not is_loopback(options.address):
        everywhere = options.address in ("", "0.0.0.0", "::")
        to.warning(
            f"metrics: port {port} listens on {'all addresses' if everywhere else options.address} of this machine, and"
            " answers everyone without a password (names of jobs, dates, how many rows): let a firewall allow only"
            " Prometheus, or listen with --metrics-address 127.0.0.1"
        )
    return close


def is_loopback(address: str) -> bool:
    """Whether nobody from another machine reaches it."""
    try:
        found = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(address or None, 0)}
    except OSError:
        return False
    return bool(address) and all(ipaddress.ip_address(each).is_loopback for each in found)


def _outputs(options: MetricsOptions, exporter: Any, to: Display) -> dict[str, Beside]:
    works = {}
    if options.textfile is not None:
        path = options.textfile
        textfile = _Once(to, f"--metrics-textfile {path}", lambda: replace_file(path, exporter.text(), READABLE))
        works[str(path)] = Beside("metrics file", TEXTFILE_S, textfile)
    if options.push is not None:
        name, push = exporter.gateway(options.push)
        works[name] = Beside("metrics push", PUSH_S, _Once(to, f"--metrics-push {name}", push))
    for work in works.values():
        work.start()
    return works


class _Once:
    """Work whose failure is a warning, once."""

    def __init__(self, to: Display, name: str, work: Any) -> None:
        self._to, self._name, self._work = to, name, work
        self._warned = False

    def __call__(self) -> None:
        try:
            self._work()
        except Exception as error:  # whatever it is, rows are not to suffer from it
            if not self._warned:
                self._warned = True
                self._to.warning(f"metrics cannot be written ({self._name}): {error}; the replay goes on")
