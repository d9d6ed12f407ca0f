"""The shipped units under a real systemd: stopped in the middle of a replay, and failing."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.fault.conftest import KEPT_WHILE_IT_HANGS, own_cluster
from tests.support.command_lines import CRON
from tests.support.kafka_cluster import KafkaCluster
from tests.support.need import need, need_file, need_root
from tests.support.night_folder import NightFolder
from tests.support.process import checkpoint
from tests.support.systemd_boot import SYSTEMD, DoesNotBoot, Systemd, booted

PROGRAM = str(Path(sys.executable).parent / "replay")
NAMES = ("replay@.service", "replay-schedule.service", "replay-failed@.service")
HERE = "User=\nGroup=\nProtectHome=no\nPrivateTmp=no\n"
"""There is no user replay, and the files of a test lie in /tmp or in a home."""

ROWS = 20_000


def day_before(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with own_cluster(tmp_path_factory.mktemp("kafka"), config=KEPT_WHILE_IT_HANGS) as cluster:
        yield cluster


class Machine:
    """Units as shipped, with the paths of here; the state folder is `state`."""

    def __init__(self, folder: Path, nights: NightFolder) -> None:
        self.folder, self.nights = folder, nights
        self.state = folder / "machine" / "var-lib" / "replay"
        self.mail = folder / "mail"
        (folder / "bin").mkdir()
        (folder / "bin" / "sendmail").write_text(
            f"#!/bin/sh\ncat >{self.mail}.part && mv {self.mail}.part {self.mail}\n"
        )
        (folder / "bin" / "sendmail").chmod(0o755)
        text = (CRON / "nightly.toml").read_text().replace("/srv/trades/trades-{date}", f"{nights.inputs}/{{date}}")
        text = text.replace('cron = "30 2', 'cron = "0 0')  # yesterday's is missed, whatever time it is
        text = text.replace("localhost:9092", nights.bootstrap).replace('topic = "trades"', f'topic = "{nights.topic}"')
        (folder / "nightly.toml").write_text(text)

    def boot(self, kill_mode: str = "") -> Iterator[Systemd]:
        at = {"/opt/replay/bin/replay": PROGRAM, "/etc/replay/nightly.toml": f"{self.folder}/nightly.toml"}
        units = {}
        for name in NAMES:
            units[name] = (CRON / name).read_text()
            for there, here in at.items():
                units[name] = units[name].replace(there, here)
        path = f"Environment=PATH={self.folder}/bin:/usr/bin:/bin\n"
        settings = dict.fromkeys(NAMES[:2], HERE + kill_mode) | {NAMES[2]: path}
        with booted(self.folder / "machine", units, settings) as systemd:
            (self.folder / "machine" / "var-lib" / "prometheus" / "node-exporter").mkdir(parents=True)
            yield systemd

    def log(self, name: str) -> str:
        path = self.folder / "machine" / f"{name}.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def machine(tmp_path: Path, node: KafkaCluster, topic: str) -> Machine:
    need("unshare", "nsenter", "systemctl")
    need_file(SYSTEMD, "systemd")
    need_root("namespaces")
    nights = NightFolder(tmp_path, node.bootstrap_servers, topic)
    for days in (0, 1, 2):
        nights.write(f"{day_before(days)}.parquet", f"{day_before(days)}T01:00:00+00:00", rows=ROWS)
    return Machine(tmp_path, nights)


@pytest.fixture(params=["as shipped", "KillMode=control-group"])
def systemd(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Systemd]:
    more = "" if request.param == "as shipped" else f"{request.param}\n"
    try:
        yield from machine.boot(more)
    except DoesNotBoot as reason:
        pytest.skip(f"no systemd can be had here: {reason}")


def wait_for(reached: object, told: object, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not reached():  # type: ignore[operator]
        assert time.monotonic() < deadline, told()  # type: ignore[operator]
        time.sleep(0.1)


@pytest.mark.parametrize("unit", ["replay@trades.service", "replay-schedule.service"])
def test_systemctl_stop_drains_what_is_in_flight(
    machine: Machine, systemd: Systemd, node: KafkaCluster, unit: str
) -> None:
    """Broken: `systemctl stop`, or a reboot, ends a replay with rows in flight, and calls that a failure."""
    template = "replay@.service" if "@" in unit else unit
    if unit == "replay-schedule.service":  # yesterday is a date that was missed: it begins at once
        done = machine.state / "trades"
        shutil.copytree(finished(machine), done)
    path = machine.state / "trades" / f"{day_before(1)}.json"
    assert systemd.systemctl("start", unit) == ""
    wait_for(lambda: checkpoint(path).get("next_row", 0) > 2_000, lambda: machine.log(template))
    node.freeze_node(0)
    stopping = threading.Thread(target=systemd.systemctl, args=("stop", unit))
    stopping.start()
    time.sleep(3)
    assert stopping.is_alive(), f"it did not wait for what is in flight: {machine.log(template)}"
    node.thaw_node(0)
    stopping.join(60)
    assert checkpoint(path)["state"] == "clean", machine.log(template)
    assert systemd.show(unit, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert not machine.mail.exists()


def finished(machine: Machine) -> Path:
    """The checkpoints of a job that has done the day before yesterday."""
    folder = machine.folder / "finished"
    machine.nights.go("run", "--date", str(day_before(2)), "--state-dir", str(folder),
                      inputs=f"{machine.nights.inputs}/{{date}}.parquet")  # fmt: skip
    return folder / "j"


@pytest.mark.parametrize("systemd", ["as shipped"], indirect=True)
def test_a_night_that_fails_is_mailed(machine: Machine, systemd: Systemd) -> None:
    """Broken: the unit that is to tell of a failure fails itself, or nobody starts it."""
    (machine.nights.inputs / f"{day_before(1)}.parquet").unlink()
    systemd.systemctl("start", "replay@trades.service")
    wait_for(machine.mail.exists, lambda: machine.log("replay@.service") + machine.log("replay-failed@.service"))
    head, _, body = machine.mail.read_text().partition("\n\n")
    assert "To: ops@example.com\nSubject: replay@trades.service failed on " in head
    assert "status=3" in body
    metrics = machine.folder / "machine" / "var-lib" / "prometheus" / "node-exporter" / "replay-trades.prom"
    assert f'replay_exit_code{{date="{day_before(1)}",replay_job="trades"}} 3.0' in metrics.read_text()
    assert json.dumps(systemd.show("replay@trades.service", "Result")) == '{"Result": "exit-code"}'
