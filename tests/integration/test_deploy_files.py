"""What an operator copies from cron/: each file read by a program that knows its format, and the crontab run by cron.

Not checked, for want of an engine or a cluster: that the images exist under these tags, and that Kubernetes does what
its manual says about the settings that its own checker accepts. The units run in test_systemd_for_real.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pyarrow.parquet as pq
import pytest
import typer
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, ResourceType

from replay import __version__
from replay.cli.app import app
from replay.cli.commands import job_keys
from replay.cli.options.looking import SampleLayout
from replay.cli.options.sending import Sending
from replay.cli.sample_trades import SampleSpec, write_sample
from replay.errors import STOPPED, ExitCode
from replay.units import parse_duration_s
from tests.conftest import Broker
from tests.support import clock
from tests.support.command_lines import CRON, all_lines, container, crontab_jobs, documents, job_tables, unit
from tests.support.cron_daemon import DAEMON, Fired, fire, night
from tests.support.java import JavaUnavailable
from tests.support.kafka_cluster import JVM, KafkaCluster, jars
from tests.support.need import need, need_file, need_root, without
from tests.support.process import ROOT
from tests.support.readback import compare, expected_records, read_topic
from tests.support.registry import Registry, pinned_version, program

TRY_AGAIN = {ExitCode.BROKER_UNAVAILABLE, ExitCode.LOCKED, ExitCode.CHECKPOINT_UNWRITABLE}
"""What time mends, or may; with the signals, which say nothing about the job. The rest needs somebody."""

DRAIN_S = parse_duration_s(Sending().drain_timeout, "--drain-timeout")
BOOTSTRAP = "REPLAY_BOOTSTRAP_SERVERS"
PROGRAMS = Path(sys.executable).parent
CRONTAB = (CRON / "crontab").read_text()
UNITS = ("replay@.service", "replay-schedule.service")
ROWS = 2_000


def lines() -> list[Any]:
    return [pytest.param(arguments, id=f"{name}-{arguments[0]}") for name, arguments in all_lines()]


@pytest.mark.parametrize("arguments", lines())
def test_the_tool_understands_every_command_line(arguments: list[str]) -> None:
    """Broken: what an operator copies ends with exit 2 at half past two in the morning."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    rest = list(arguments)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        command = command.get_command(context, name)
    command.make_context(name, rest)


def test_the_tool_takes_the_job_file() -> None:
    """Broken: the example job file is refused, or a key of it is of no use."""
    (arguments,) = [arguments for name, arguments in all_lines() if name == "nightly.toml"]
    here = [each.replace("/etc/replay", str(CRON)) for each in arguments]
    done = subprocess.run([str(PROGRAMS / "replay"), *here], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert {key.replace("-", "_") for table in job_tables().values() for key in table} <= job_keys()


def test_the_job_of_avro_is_an_example_that_no_clock_starts() -> None:
    """Broken: who copies the job file for trades of JSON needs a registry, too, or fails each night."""
    assert [name for name, table in job_tables().items() if "cron" in table] == ["trades"]
    assert [name for name, table in job_tables().items() if "format" in table] == ["trades-avro"]


def test_the_job_file_of_the_container_sample_finds_the_sample() -> None:
    """Broken: the compose file's example has nothing to replay."""
    for table in job_tables().values():
        assert Path(table["inputs"]).parent == Path("/srv/trades")
        assert (ROOT / "data" / Path(table["inputs"]).name.format(date="2026-11-02")).exists()


# -- cron -------------------------------------------------------------------------------------------------


def test_a_parser_takes_every_line_of_the_crontab_for_a_command_without_input() -> None:
    """Broken: cron refuses the table, or cuts a command short at a percent sign that is not escaped."""
    jobs = crontab_jobs(CRONTAB)
    assert [job.is_valid() for job in jobs] == [True] * 3
    assert [job.stdin for job in jobs] == [None] * 3
    for line in CRONTAB.splitlines():
        assert line.startswith("#") or not re.search(r"(?<!\\)%", line), line
    assert jobs[0].frequency_per_day() == 4


def test_the_check_in_the_morning_allows_for_the_night_and_no_more() -> None:
    """Broken: yesterday's success hides that of tonight is none, or a night that was done early counts as none."""
    run, status, _ = crontab_jobs(CRONTAB)
    at = [int(str(job.hour).split("-")[0]) + int(str(job.minute)) / 60 for job in (run, status)]
    (allowed_h,) = re.findall(r"--fail-if-older-than (\d+)h", status.command)
    since_first_h = at[1] - at[0] + 1  # the night in October that has an hour more
    assert since_first_h <= int(allowed_h) < 24


@pytest.fixture
def nightly(tmp_path: Path, topic: str) -> dict[str, str]:
    """The crontab's variables and more as an operator here would set them; trades of yesterday lie ready."""
    need("faketime", "unshare")
    need_file(DAEMON, "cron")
    need_root("a mount namespace")
    (trades,) = write_sample(tmp_path / "made", SampleSpec(ROWS, 5, 1, SampleLayout.BY_DAY))
    for days in (0, 1):  # one of them is yesterday, also if midnight passes now
        day = (datetime.now(UTC) - timedelta(days=days)).date()
        shutil.copy(trades, tmp_path / f"trades-{day}.parquet")
    for folder in ("state", "logs", "metrics"):
        (tmp_path / folder).mkdir()
    text = (CRON / "nightly.toml").read_text().replace("/srv/trades", str(tmp_path))
    (tmp_path / "nightly.toml").write_text(text)
    return {
        "REPLAY": str(PROGRAMS / "replay"),
        "CONFIG": str(tmp_path / "nightly.toml"),
        "STATE": str(tmp_path / "state"),
        "LOGS": str(tmp_path / "logs"),
        "NIGHTLY": str(CRON / "replay-nightly.sh"),
        "METRICS": str(tmp_path / "metrics"),
        "REPLAY_TOPIC": topic,
        "REPLAY_BOOTSTRAP_SERVERS": "127.0.0.1:1",  # nobody: for the test to replace
    }


def by_cron(variables: dict[str, str], minute: str, folder: Path, zone: str = "Etc/UTC") -> Fired:
    """Cron itself, at this minute, on the crontab with these variables at its top."""
    text = "".join(line for line in CRONTAB.splitlines(keepends=True) if line.partition("=")[0] not in variables)
    table = "".join(f"{name}={value}\n" for name, value in variables.items()) + text
    return fire(table, minute, folder / f"cron-{minute}", zone)


def only_log(variables: dict[str, str]) -> str:
    (path,) = Path(variables["LOGS"]).iterdir()
    assert re.fullmatch(r"trades\.\d{4}-\d\d-\d\d\.\d{4}\.log", path.name)
    return path.read_text()


def test_cron_replays_the_night_and_mails_nothing(
    nightly: dict[str, str], tmp_path: Path, kafka: KafkaCluster | Broker
) -> None:
    """Broken: the line does not survive cron's bare environment, replays another day, or mails success."""
    nightly["REPLAY_BOOTSTRAP_SERVERS"] = kafka.bootstrap_servers
    fired = by_cron(nightly, "02:30", tmp_path)
    assert (fired.code, fired.mail) == (0, ""), only_log(nightly)
    assert "outcome" in only_log(nightly)
    rows = expected_records(pq.read_table(next((tmp_path / "made").iterdir())))
    verdict = compare(rows, read_topic(nightly["REPLAY_BOOTSTRAP_SERVERS"], nightly["REPLAY_TOPIC"]))
    assert verdict.exact, str(verdict)
    (checkpoint,) = Path(nightly["STATE"]).glob("trades/????-??-??.json")
    assert json.loads(checkpoint.read_bytes())["state"] == "done"
    assert "replay_exit_code{" in (tmp_path / "metrics" / "replay-trades.prom").read_text()
    assert by_cron(nightly, "06:30", tmp_path) == Fired(0, "")


def test_cron_in_tokyo_replays_the_yesterday_of_tokyo(
    nightly: dict[str, str], tmp_path: Path, kafka: KafkaCluster | Broker
) -> None:
    """Broken: at 02:30 in Tokyo it is still yesterday in UTC, and the day before is replayed, every night."""
    need("gcc")
    (made,) = (tmp_path / "made").iterdir()
    shutil.copy(made, tmp_path / "trades-2026-11-23.parquet")
    pq.write_table(pq.read_table(made).slice(0, 10), tmp_path / "trades-2026-11-22.parquet")
    moved = clock.at(clock.compiled(tmp_path), night(2, 30, "Asia/Tokyo"))
    wrapper = tmp_path / "replay-at-night"  # cron's jobs do not have its clock
    told = " ".join(f"{name}={value}" for name, value in moved.items())
    wrapper.write_text(f'#!/bin/sh\nexec env {told} {nightly["REPLAY"]} "$@"\n')
    wrapper.chmod(0o755)
    nightly["REPLAY"] = str(wrapper)
    nightly["REPLAY_BOOTSTRAP_SERVERS"] = kafka.bootstrap_servers
    fired = by_cron(nightly, "02:30", tmp_path, "Asia/Tokyo")
    assert (fired.code, fired.mail) == (0, ""), only_log(nightly)
    assert "the date is 2026-11-23, yesterday in Asia/Tokyo" in only_log(nightly)
    verdict = compare(
        expected_records(pq.read_table(made)), read_topic(nightly["REPLAY_BOOTSTRAP_SERVERS"], nightly["REPLAY_TOPIC"])
    )
    assert verdict.exact, str(verdict)
    assert 'date="2026-11-23"' in (tmp_path / "metrics" / "replay-trades.prom").read_text()


def test_every_file_says_one_zone() -> None:
    """Broken: the clock that starts a job and the one that says what yesterday is are hours apart."""
    zones = {job["timezone"] for job in job_tables().values()}
    timer, service = (CRON / "replay@.timer").read_text(), unit(CRON / "replay@.service")["ExecStart"][0]
    manifest = documents(CRON / "kubernetes-cronjob.yaml")[1]
    assert zones == {"UTC"}
    assert "OnCalendar=*-*-* 02:30:00 UTC\n" in timer
    assert "--timezone UTC" in service
    assert f"--timezone={manifest['spec']['timeZone']}" in container(manifest)["args"]
    assert manifest["spec"]["timeZone"] == "Etc/UTC"


def test_cron_leaves_an_absent_broker_to_the_next_chance_and_mails_in_the_morning(
    nightly: dict[str, str], tmp_path: Path
) -> None:
    """Broken: each try of a night without a broker is a mail, its log is lost, or nobody ever hears of it."""
    nightly["REPLAY_BROKER_TIMEOUT"] = "1s"
    fired = by_cron(nightly, "02:30", tmp_path)
    assert (fired.code, fired.mail) == (ExitCode.BROKER_UNAVAILABLE, "")
    assert "run again once the broker is there" in only_log(nightly)
    morning = by_cron(nightly, "06:30", tmp_path)
    assert morning.code == ExitCode.DIFFERENT
    assert "trades" in morning.mail.partition("\n\n")[2], morning.mail


def test_cron_mails_what_only_somebody_can_mend(nightly: dict[str, str], tmp_path: Path) -> None:
    """Broken: a failure is silent, or the mail does not say which job, how, why, and where the whole log is."""
    for trades in tmp_path.glob("trades-*.parquet"):
        trades.unlink()
    fired = by_cron(nightly, "02:30", tmp_path)
    assert fired.code == ExitCode.INPUT
    head, _, body = fired.mail.partition("\n\n")
    assert "To: ops@example.com" in head
    (log,) = Path(nightly["LOGS"]).iterdir()
    assert body == f"replay: job trades failed with exit code 3, see {log}\n{log.read_text()}"
    assert "no such file" in body


# -- systemd ----------------------------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as installed for the job `trades`, with the tool where it is here."""
    need("systemd-analyze")
    for path in (*CRON.glob("*.service"), *CRON.glob("*.timer")):
        text = path.read_text().replace("/opt/replay/bin/replay", str(PROGRAMS / "replay"))
        (tmp_path / path.name.replace("@", "@trades")).write_text(text)
    return tmp_path


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_takes_the_units_without_a_complaint(units: Path) -> None:
    """Broken: systemd refuses a unit, or ignores a setting whose name it does not know."""
    paths = sorted(units.iterdir())
    assert [path.name for path in paths] == [
        "replay-failed@trades.service",
        "replay-schedule.service",
        "replay@trades.service",
        "replay@trades.timer",
    ]
    done = systemd_analyze("verify", "--man=no", *paths)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "replay" in line] == []


@pytest.mark.parametrize("name", UNITS)
def test_systemd_calls_the_services_well_confined(units: Path, name: str) -> None:
    """Broken: a line of the hardening is lost, and a hole in a Parquet reader is a hole in the machine."""
    path = units / name.replace("@", "@trades")
    done = systemd_analyze("security", "--offline=yes", "--threshold=20", path)  # 2.0 of 10; 1.4 when written
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_the_services_stop_gently_and_with_patience(name: str) -> None:
    """Broken: systemd kills a replay that is draining, or calls its clean end a failure."""
    service = unit(CRON / name)
    assert service["KillSignal"] == ["SIGTERM"]
    assert service["KillMode"] == ["mixed"], "the scheduler tells its replays by itself"
    assert int(service["TimeoutStopSec"][0]) > DRAIN_S
    assert service["SuccessExitStatus"] == [str(int(ExitCode.SIGTERM))]


def test_the_service_of_a_night_is_restarted_for_an_absent_broker_alone_and_within_the_day() -> None:
    """Broken: a wrong option is tried all night, or a late retry takes another day for yesterday."""
    service = unit(CRON / "replay@.service")
    assert (service["Restart"], service["RestartForceExitStatus"]) == (["no"], ["5"])
    assert service["Type"] == ["exec"]  # oneshot: "isn't allowed" before systemd 256
    assert int(service["StartLimitBurst"][0]) * (int(service["RestartSec"][0].removesuffix("min")) + 5) < 60 * 6
    assert service["StartLimitIntervalSec"] == ["6h"]


# -- Kubernetes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.31", "1.34"])
def test_kubernetes_knows_every_field(version: str) -> None:
    """Broken: the API server refuses the manifest, or drops a field that is written wrongly."""
    manifests = documents(CRON / "kubernetes-cronjob.yaml")
    assert [each["kind"] for each in manifests] == ["PersistentVolumeClaim", "CronJob"]
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_kubernetes_tries_again_what_time_may_mend_and_nothing_else() -> None:
    """Broken: an outage fails the job for good, or a wrong option is tried again for hours."""
    job = documents(CRON / "kubernetes-cronjob.yaml")[1]["spec"]["jobTemplate"]["spec"]
    disrupted, codes = job["podFailurePolicy"]["rules"]
    assert (disrupted["action"], codes["action"], codes["onExitCodes"]["operator"]) == ("Ignore", "FailJob", "In")
    assert set(codes["onExitCodes"]["values"]) == set(ExitCode) - TRY_AGAIN - STOPPED - {ExitCode.DONE}
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["template"]["spec"]["terminationGracePeriodSeconds"] > DRAIN_S


def test_kubernetes_runs_one_at_a_time_and_confined() -> None:
    """Broken: two nodes write one checkpoint, or the pod may do more than it needs."""
    claim, cron_job = documents(CRON / "kubernetes-cronjob.yaml")
    assert cron_job["spec"]["concurrencyPolicy"] == "Forbid"
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["enableServiceLinks"]
    assert container(cron_job)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {each["mountPath"] for each in container(cron_job)["volumeMounts"] if not each.get("readOnly")}
    assert writable == {"/var/lib/replay", "/tmp"}


# -- compose ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def services() -> Any:
    """As the compose program itself understands the file."""
    command = [str(PROGRAMS / "docker-compose"), "-f", str(CRON / "compose.yaml"), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)["services"]


def test_compose_starts_things_in_order_and_watches_them(services: Any) -> None:
    """Broken: the scheduler starts before Kafka answers, or nobody notices a service that hangs."""
    assert set(services) == {"kafka", "kafka-ui", "registry", "scheduler"}
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1"  # nothing here asks for a password
    assert "ports" not in services["registry"], "it asks for no password"
    for name in ("kafka-ui", "registry", "scheduler"):
        assert services[name]["depends_on"]["kafka"]["condition"] == "service_healthy"


def test_compose_confines_the_scheduler_and_keeps_its_state(services: Any) -> None:
    """Broken: checkpoints go with the container, or it is killed while it drains."""
    scheduler = services["scheduler"]
    assert scheduler["read_only"]
    assert scheduler["cap_drop"] == ["ALL"]
    assert scheduler["stop_grace_period"] == "1m0s"
    assert DRAIN_S < 60
    volumes = {each["target"]: (each["type"], each.get("read_only", False)) for each in scheduler["volumes"]}
    assert volumes["/var/lib/replay"] == ("volume", False)
    assert volumes["/srv/trades"] == volumes["/etc/replay/nightly.toml"] == ("bind", True)
    assert Path(scheduler["build"]["context"]) == ROOT


def trials() -> dict[str, list[str]]:
    """What the compose file says to try, by job."""
    lines = [arguments for name, arguments in all_lines() if name == "compose.yaml" and arguments[0] == "run"]
    return {arguments[arguments.index("--job") + 1]: arguments for arguments in lines}


def own_retention(bootstrap: str, name: str) -> str | None:
    """The topic's `retention.ms`, where it is its own and not the broker's."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    (answer,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
    found = answer.result(30)["retention.ms"]
    return found.value if found.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value else None


def test_the_registry_of_the_compose_file_serves_the_job_of_avro(
    services: Any, tmp_path: Path, kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: the registry does not start with these settings, forgets its schemas and ids with its container, is never
    called healthy, or is not where the scheduler and Kafka UI look for it; or the job of Avro does not run."""
    try:
        program()
    except JavaUnavailable as reason:
        without(str(reason))
    service = services["registry"]
    assert service["image"].rpartition(":")[2] == pinned_version()
    settings = {**service["environment"], "APICURIO_KAFKASQL_TOPIC": f"{topic}-journal"}
    assert settings["APICURIO_KAFKASQL_BOOTSTRAP_SERVERS"] == services["scheduler"]["environment"][BOOTSTRAP]
    settings |= {
        "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "APICURIO_KAFKASQL_SNAPSHOTS_TOPIC": f"{topic}-snapshots",
        "APICURIO_EVENTS_KAFKA_TOPIC": f"{topic}-events",
    }
    (tmp_path / "nightly.toml").write_text(
        (CRON / "nightly.toml").read_text().replace("/srv/trades", str(ROOT / "data"))
    )
    with Registry(tmp_path / "registry", settings) as registry:
        of_network = "http://registry:8080"
        address = services["scheduler"]["environment"]["REPLAY_REGISTRY"]
        assert address == services["kafka-ui"]["environment"]["KAFKA_CLUSTERS_0_SCHEMAREGISTRY"]
        assert address.replace(of_network, f"http://{registry.address}") == registry.url
        health = service["healthcheck"]["test"]
        need("curl")
        asked = [each.replace("127.0.0.1:8080", registry.address) for each in health[1:]]
        assert subprocess.run(asked, capture_output=True, timeout=30, check=False).returncode == 0
        at = {"/etc/replay/nightly.toml": str(tmp_path / "nightly.toml")}
        told = [
            at.get(each, each.replace("/var/lib/replay", str(tmp_path / "state"))) for each in trials()["trades-avro"]
        ]
        env = {**os.environ, BOOTSTRAP: kafka.bootstrap_servers, "REPLAY_REGISTRY": registry.url}
        command = [str(PROGRAMS / "replay"), *told, "--topic", topic]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        values = [record.value for part in read_topic(kafka.bootstrap_servers, topic) for record in part]
        schema_ids = {int.from_bytes(value[1:5], "big") for value in values if value is not None}
        assert len(values) > 1_000
        assert own_retention(kafka.bootstrap_servers, f"{topic}-journal") == "-1"
        registry.kill()
        registry.start()
        assert registry.versions(f"{topic}-value") == [1]
        (schema_id,) = schema_ids
        assert "com.example" in registry.ask("GET", f"/schemas/ids/{schema_id}")["schema"]


def test_trying_the_compose_file_ends_well_and_leaves_the_scheduler_alone(
    tmp_path: Path, kafka: KafkaCluster | Broker, topic: str
) -> None:
    """Broken: whoever tries it makes the scheduler look for files of all days since, and fail on each."""
    text = (CRON / "nightly.toml").read_text().replace("/srv/trades", str(ROOT / "data"))
    (tmp_path / "nightly.toml").write_text(text)

    def here(arguments: list[str]) -> list[str]:
        at = {"/etc/replay/nightly.toml": str(tmp_path / "nightly.toml"), "try": topic}
        moved = [at.get(each, each.replace("/var/lib/replay", str(tmp_path / "state"))) for each in arguments]
        return [str(PROGRAMS / "replay"), *moved]

    trying = trials()["trades"]
    env = {**os.environ, "REPLAY_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    for told in ("outcome", "nothing to do"):  # a second time as well
        tried = subprocess.run(here(trying), env=env, capture_output=True, text=True, timeout=60, check=False)
        assert tried.returncode == 0, tried.stderr
        assert told in tried.stdout + tried.stderr
    assert sum(map(len, read_topic(kafka.bootstrap_servers, topic))) > 1_000
    scheduler = documents(CRON / "compose.yaml")[0]["services"]["scheduler"]
    with subprocess.Popen(here(scheduler["command"]), env=env, stderr=subprocess.PIPE, text=True) as schedule:
        assert schedule.stderr is not None
        assert "next at" in schedule.stderr.readline()
        time.sleep(1)  # what it takes for missed it begins at once
        schedule.terminate()
        assert schedule.communicate(timeout=30)[1] == ""
    assert schedule.returncode == 143
    health = subprocess.run(here(scheduler["healthcheck"]["test"][2:]), env=env, capture_output=True, check=False)
    assert health.returncode == 1, "its own job has not succeeded yet"


def test_kafka_takes_the_settings_of_the_compose_file(services: Any, tmp_path: Path) -> None:
    """Broken: Kafka does not start, since listeners or quorum do not fit each other."""
    try:
        libraries = jars()
    except JavaUnavailable as reason:
        without(str(reason))
    settings = dict(services["kafka"]["environment"])
    cluster_id = settings.pop("CLUSTER_ID")
    settings["KAFKA_LOG_DIRS"] = str(tmp_path / "data")
    properties = tmp_path / "server.properties"  # KAFKA_NODE_ID is node.id: so says the image's documentation
    names = {name: name.removeprefix("KAFKA_").lower().replace("_", ".") for name in settings}
    properties.write_text("".join(f"{names[name]}={value}\n" for name, value in settings.items()))
    command = ["java", *JVM, "-cp", f"{libraries}/*", "kafka.tools.StorageTool", "format"]
    command += ["-t", cluster_id, "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "data" / "meta.properties").exists()


def test_the_files_name_the_same_image_and_user(services: Any) -> None:
    """Broken: one of them runs an image that was never built, or a user who may not read the state."""
    cron_job = documents(CRON / "kubernetes-cronjob.yaml")[1]
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert services["scheduler"]["image"] == container(cron_job)["image"] == f"parquet-replay:{__version__}"
    context = pod["securityContext"]
    text = (ROOT / "Dockerfile").read_text()
    assert f"\nUSER {context['runAsUser']}:{context['fsGroup']}\n" in text
    assert services["scheduler"]["build"]["args"] == {"VERSION": __version__}
    assert f"--build-arg VERSION={__version__} --tag parquet-replay:{__version__}" in text
