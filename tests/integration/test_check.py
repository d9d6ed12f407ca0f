"""`replay check` on real brokers and registries: it tells all that there is to tell, and changes nothing."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.support import bad_files as bad
from tests.support.called import call
from tests.support.java import free_ports
from tests.support.process import replay_command
from tests.support.secured import ALICE, ALICES_PASSWORD
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Jobs
    from tests.support.registry import Registry
    from tests.support.secured import SecuredKafka

ROWS = 200
PASSWORD = "bobs-secret-91c2"
KEEPS = {"retention.ms": "-1"}


@dataclass(frozen=True)
class Checked:
    """The outcome of a check of one job."""

    code: int
    findings: list[dict[str, str]]

    def of(self, what: str) -> dict[str, str]:
        """The only finding about it."""
        (found,) = [each for each in self.findings if each["what"].startswith(what)]
        return found

    def bad(self) -> dict[str, str]:
        """What is not well, with its verdict."""
        return {each["found"]: each["verdict"] for each in self.findings if each["verdict"] != "ok"}


@dataclass(frozen=True)
class Checks:
    """Checks of a replay with trades of its own and a state folder of its own."""

    folder: Path
    topic: str

    def __call__(self, servers: str, *options: str, code: int = 0, inputs: str = "") -> Checked:
        where = ["--topic", self.topic, "--bootstrap-servers", servers, "--state-dir", str(self.folder / "state")]
        shown = ["--broker-timeout", "10s", "--output", "json"]
        done = call("check", inputs or str(self.folder / "trades.parquet"), *where, *shown, *options)
        assert done.code == code, f"{done.out}{done.err}"
        assert PASSWORD not in done.out + done.err
        document: dict[str, Any] = json.loads(done.out)
        assert document["exit_code"] == code
        (job,) = document["jobs"]
        return Checked(done.code, job["findings"])


@pytest.fixture
def check(topic: str, tmp_path: Path) -> Checks:
    bad.write(tmp_path / "trades.parquet", bad.trades(ROWS))
    return Checks(tmp_path, topic)


def settings(values: Mapping[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in ("-X", f"{name}={value}")]


def scram(secured: SecuredKafka, user: str, password: str = PASSWORD, mechanism: str = "SCRAM-SHA-512") -> list[str]:
    return settings(
        {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(secured.authority.certificate),
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": password,
        }
    )


@pytest.fixture
def bob(secured: SecuredKafka, topic: str) -> Iterator[str]:
    """A user with all rights that a transactional replay into the topic needs."""
    name = f"bob-{topic[-6:]}"
    principal = f"User:{name}"
    secured.add_user(name, PASSWORD)
    secured.allow(principal, "topic", topic, "write", "read", "describe_configs")
    secured.allow(principal, "topic", f"{topic}-progress", "write", "read")
    secured.allow(principal, "transactional_id", f"replay.{topic}.{topic}", "write")
    create_topic(secured.bootstrap_servers, topic, 2, config=KEEPS)
    create_topic(secured.bootstrap_servers, f"{topic}-progress", 1, config={"cleanup.policy": "compact"})
    wait_until_known(secured, name)
    yield name
    secured.withdraw(principal)
    secured.remove_user(name)


def wait_until_known(secured: SecuredKafka, user: str) -> None:
    """A user is there some moments after it was made."""
    deadline_s = time.monotonic() + 20
    while user not in secured.admin.describe_user_scram_credentials([user]):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def unsecured_token(subject: str, ends_s: float) -> str:
    """A JWT without a signature (RFC 7515, A.5)."""
    claims = {"sub": subject, "iat": int(time.time()) - 1, "exp": int(ends_s)}
    parts = (urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in ({"alg": "none"}, claims))
    return ".".join([*parts, ""])


def test_each_listener_is_told_with_who_we_are_there(
    secured: SecuredKafka, check: Checks, bob: str, tmp_path: Path
) -> None:
    """Broken: the check says less than an operator who looks by hand, or fails where a replay would work."""
    ca = {"ssl.ca.location": str(secured.authority.certificate)}
    tls = check(secured.address("TLS"), *settings({"security.protocol": "SSL", **ca}))
    assert tls.of("TLS")["found"].startswith("TLSv1.3, TLS_")
    assert tls.of("certificate of the broker")["found"].startswith(
        "CN=broker for localhost, issued by CN=test-ca; ends"
    )
    assert tls.of(f"broker {secured.address('TLS')}")["found"] == "Kafka 4.1"
    assert tls.of("login")["found"] == "none; User:ANONYMOUS"
    assert tls.of("cluster")["found"].endswith(", 1 broker")
    assert "2 partitions, 1 replica; cleanup.policy=delete, retention.ms=-1" in tls.of("topic")["found"]
    assert tls.of("rights on topic")["found"] == "Describe, Write, Read, DescribeConfigs"
    assert tls.of("input")["found"] == f"1 file, {ROWS} rows"
    assert tls.of("checkpoint")["found"].endswith("none yet")
    assert tls.bad() == {}
    alice = secured.authority.issue(ALICE, ends=timedelta(days=5), file="alice-five-days")
    mtls = {"security.protocol": "SSL", **ca, "ssl.certificate.location": str(alice.certificate)}
    shown = check(secured.address("MTLS"), *settings({**mtls, "ssl.key.location": str(alice.key)}))
    assert shown.of("login")["found"] == f"none; User:CN={ALICE}"
    assert shown.of("our certificate")["verdict"] == "warning"
    assert "ends in 5 days" in shown.of("our certificate")["found"]
    assert str(alice.certificate) in shown.of("our certificate")["todo"]
    user = check(secured.address("SASL"), *scram(secured, bob))
    assert user.of("login")["found"].startswith(f"User:{bob} by SCRAM-SHA-512; the listener takes PLAIN, SCRAM-SHA")
    plain = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": ALICE}
    without = check(secured.address("OPEN"), *settings({**plain, "sasl.password": ALICES_PASSWORD}))
    assert without.of("login")["found"].startswith(f"User:{ALICE} by PLAIN")
    assert "TLS" not in {each["what"] for each in without.findings}
    token = tmp_path / "token"
    ca_option = ("--security", "oauth", "--ca", str(secured.authority.certificate), "--oauth-token-file", str(token))
    token.write_text(unsecured_token("admin", time.time() + 600))
    token.chmod(0o600)
    by_token = check(secured.address("SASL"), *ca_option, code=2)  # it is let in, and has no rights
    assert by_token.of("login")["found"].startswith("accepted by OAUTHBEARER")


def test_each_right_that_is_missing_is_told_with_the_command_that_grants_it(
    secured: SecuredKafka, check: Checks, bob: str, topic: str
) -> None:
    """Broken: a night fails at a right that the check had called good; or of three that are missing one is told."""
    progress, principal = f"{topic}-progress", f"User:{bob}"
    job = [*scram(secured, bob), "--delivery", "transactional", "--progress-topic", progress]
    good = check(secured.address("SASL"), *job)
    assert good.bad() == {}
    assert good.of("right to transactional id")["found"] == "Write"
    taken = (("topic", topic, "write"), ("topic", progress, "read"))
    for kind, name, operation in (*taken, ("transactional_id", f"replay.{topic}.{topic}", "write")):
        assert secured.withdraw(principal, kind, name, operation) == 1
        wait_for_rights(check, secured, job, operation.capitalize(), name)
    lost = check(secured.address("SASL"), *job, code=2)
    assert len([each for each in lost.findings if each["verdict"] == "refused"]) == 3
    secured.withdraw(principal, "topic", topic)
    none = wait_for_rights(check, secured, job, "Describe", topic)
    todo = " ".join(each["todo"] for each in none.findings if each["what"].startswith("rights on topic"))
    assert "--operation Describe" in todo
    assert "--operation Write" in todo
    secured.withdraw(principal, "topic", progress)
    wait_for_rights(check, secured, job, "Describe", progress)


def wait_for_rights(check: Checks, secured: SecuredKafka, job: list[str], right: str, name: str) -> Checked:
    """The first check that knows that the right is gone: a broker hears of it some moments later."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        found = check(secured.address("SASL"), *job, code=2)
        if any(f"--operation {right}" in each["todo"] and each["todo"].endswith(name) for each in found.findings):
            return found
    raise AssertionError(f"{right} on {name} is not missed: {found.findings}")


@pytest.mark.parametrize("what", ["password", "mechanism", "authority", "port"])
def test_who_is_not_let_in_is_told_why_within_seconds(
    secured: SecuredKafka, check: Checks, bob: str, what: str
) -> None:
    """Broken: a wrong login looks like an outage, or hides what else is wrong."""
    servers, options = secured.address("SASL"), scram(secured, bob)
    if what == "password":
        options, says = scram(secured, bob, "wrong"), f"refuses the login of user {bob}, SCRAM-SHA-512"
    elif what == "mechanism":
        options, says = scram(secured, bob, mechanism="GSSAPI"), "no GSSAPI here: the listener takes PLAIN, SCRAM-SHA"
    elif what == "authority":
        options, says = [each.replace("ca.pem", "broker.crt") for each in options], "issued by CN=test-ca"
    else:
        servers, says = secured.address("OPEN"), "speaks Kafka's protocol without TLS"
    began_s = time.monotonic()
    found = check(servers, *options, code=2)
    assert time.monotonic() - began_s < 10
    (refused,) = [each for each in found.findings if each["verdict"] == "refused"]
    assert says in refused["found"]
    assert refused["todo"]
    assert found.of("topics and rights")["verdict"] == "not known"
    assert found.of("input")["verdict"] == "ok"


def test_nothing_is_written_and_a_replay_under_the_same_id_goes_on(
    secured: SecuredKafka, check: Checks, bob: str, topic: str, jobs: Jobs, tmp_path: Path
) -> None:
    """Broken: a look at a job ends the one that runs (fences it), sends a record, or makes a topic or a file."""
    job = [*scram(secured, bob), "--delivery", "transactional", "--progress-topic", f"{topic}-progress"]
    checkpoint = tmp_path / "running.json"
    trades = [tmp_path / "trades.parquet"]
    run = [*replay_command(trades, topic, secured.address("SASL"), checkpoint, *job), "--job", topic, "--rate", "40/s"]
    running = jobs.start(run)
    running.wait_row(checkpoint, 20)
    before = (sorted(secured.admin.list_topics(timeout=10).topics), set(tmp_path.rglob("*")))
    for _ in range(3):
        assert check(secured.address("SASL"), *job).bad() == {}
    assert (sorted(secured.admin.list_topics(timeout=10).topics), set(tmp_path.rglob("*"))) == before
    assert running.exit_code is None, running.log
    assert running.wait() == 0, running.log
    assert "WARNING" not in running.log
    ends = end_offsets(secured.bootstrap_servers, topic)
    assert check(secured.address("SASL"), *job).bad() == {}
    assert end_offsets(secured.bootstrap_servers, topic) == ends


def end_offsets(servers: str, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "looks-only", "log_level": 0})
    try:
        return [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(2)]
    finally:
        consumer.close()


def test_what_cannot_be_known_is_no_refusal(check: Checks, tmp_path: Path) -> None:
    """Broken: a broker that restarts is taken for a wrong configuration, or is waited for; or files are not looked at
    meanwhile."""
    servers = f"127.0.0.1:{free_ports(1)[0]}"
    began_s = time.monotonic()
    found = check(servers, code=5)
    assert time.monotonic() - began_s < 5
    assert found.of("broker")["found"] == "connection refused"
    assert found.of("input")["verdict"] == "ok"
    lacking = check(servers, code=3, inputs=str(tmp_path / "none.parquet"))
    assert lacking.of("input")["verdict"] == "refused"
    dated = str(tmp_path / "{date}.parquet")
    assert check(servers, code=3, inputs=dated).of("input")["verdict"] == "refused"
    assert "not there yet" in check(servers, "--missing", "wait", code=5, inputs=dated).of("input")["found"]


def test_all_that_is_wrong_with_a_topic_is_told(kafka: KafkaCluster | Broker, check: Checks, topic: str) -> None:
    """Broken: one fault a run, and a night for each."""
    servers = kafka.bootstrap_servers
    assert "--create-topic" in check(servers, code=2).of("topic")["todo"]
    assert "it would be created: 3 partitions" in check(servers, "--create-topic", "3").of("topic")["found"]
    assert "replication factor" in check(servers, "--create-topic", "3:9", code=2).of("topic")["found"].lower()
    limits = {"message.timestamp.before.max.ms": "86400000", "max.message.bytes": "5000", "cleanup.policy": "compact"}
    create_topic(servers, topic, 1, config=limits)
    found = check(servers, code=2)
    told = " ".join(found.bad())
    for text in ("refuses records older than", "is compacted", "refuses batches over 5,000 bytes"):
        assert text in told
    assert list(found.bad().values()).count("refused") == 1


def test_a_schema_is_looked_for_and_not_registered(
    kafka: KafkaCluster | Broker, registry: Registry, check: Checks, topic: str
) -> None:
    """Broken: the first night fails for a schema that nobody registered, or the look registers it."""
    create_topic(kafka.bootstrap_servers, topic, 1, config=KEEPS)
    avro = ["--format", "avro", "--registry", registry.url]
    for _ in range(2):  # it is still not there the second time
        found = check(kafka.bootstrap_servers, *avro, code=2)
        assert found.of("registry")["found"] == f"answers ({registry.url})"
        assert "not registered; it is compatible" in found.of("schema of the value")["found"]
        assert check(kafka.bootstrap_servers, *avro, "--schema-register").bad() == {}
    gone = check(kafka.bootstrap_servers, "--format", "avro", "--registry", "http://127.0.0.1:1", code=5)
    assert gone.of("registry")["verdict"] == "not known"
    assert gone.of("topic")["verdict"] == "ok"


def test_a_job_file_is_checked_with_all_its_jobs(kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> None:
    """Broken: the jobs behind the first one that is wrong are not looked at; or the table leaves out what is wrong."""
    create_topic(kafka.bootstrap_servers, topic, 1, config=KEEPS)
    bad.write(tmp_path / "trades.parquet", bad.trades(ROWS))
    file = tmp_path / "nightly.toml"
    file.write_text(
        f'state-dir = "{tmp_path}"\ninputs = "{tmp_path}/trades.parquet"\n'
        f'[kafka]\n"bootstrap.servers" = "{kafka.bootstrap_servers}"\n'
        f'[jobs.wrong]\ntopic = "{topic}"\nrate = "fast"\n[jobs.right]\ntopic = "{topic}"\n'
    )
    both = call("check", "--config", str(file), "--output", "json")
    assert both.code == 2
    wrong, right = json.loads(both.out)["jobs"]
    assert (wrong["job"], right["job"]) == ("wrong", "right")
    (only,) = wrong["findings"]
    assert only["verdict"] == "refused"
    assert f"{file}, [jobs.wrong] rate" in only["found"]
    assert {each["verdict"] for each in right["findings"]} == {"ok"}
    table = call("check", "--config", str(file))
    for text in ("wrong", "right", "refused", "Kafka 4.1", "what to do"):
        assert text in table.out
    assert call("check", "--config", str(file), "--job", "right").code == 0


@pytest.mark.parametrize("command", ["backfill", "schedule"])
def test_many_nights_begin_with_a_look(
    kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, command: str, jobs: Jobs
) -> None:
    """Broken: the first night finds what could have been told while somebody was there; or a broker that is away for a
    moment ends a schedule."""
    bad.write(tmp_path / "2026-11-02.parquet", bad.trades(ROWS))
    times = ["--cron", "0 0 1 1 *"] if command == "schedule" else ["--from", "2026-11-02", "--to", "2026-11-03"]
    job = [command, str(tmp_path / "{date}.parquet"), "--topic", topic, "--state-dir", str(tmp_path / "state"), *times]
    refused = call(*job, "--bootstrap-servers", kafka.bootstrap_servers)
    assert refused.code == 2
    assert f"there is no topic {topic}" in refused.err
    assert not (tmp_path / "state").exists()
    away = [*job, "--bootstrap-servers", f"127.0.0.1:{free_ports(1)[0]}", "--retries", "0", "--broker-timeout", "1s"]
    going = jobs.start(away)
    going.wait_log(f"check of {topic}: broker 127.0.0.1")
    if command == "schedule":
        going.wait_log("next at")
        going.kill()
    else:
        assert going.wait() == 5, going.log


def test_a_schedule_looks_at_the_date_of_its_next_night(
    kafka: KafkaCluster | Broker, topic: str, tmp_path: Path, jobs: Jobs
) -> None:
    """Broken: a file of today that is still being written, with times to come, ends a schedule whose date is
    yesterday."""
    create_topic(kafka.bootstrap_servers, topic, 1, config=KEEPS | {"message.timestamp.after.max.ms": "60000"})
    today = datetime.now(UTC).date()
    for day in (today, today - timedelta(days=1)):
        newest = datetime.combine(today, datetime.min.time(), UTC) + timedelta(days=2 if day == today else -0.5)
        rows = {"symbol": ["A"], "price": [1.0], "event_time": pa.array([newest], pa.timestamp("us", "UTC"))}
        pq.write_table(pa.table(rows), tmp_path / f"{day}.parquet")
    job = ["schedule", str(tmp_path / "{date}.parquet"), "--topic", topic, "--cron", "0 0 1 1 *"]
    going = jobs.start([*job, "--bootstrap-servers", kafka.bootstrap_servers, "--state-dir", str(tmp_path / "state")])
    going.wait_log("next at")
    assert "in the future" not in going.log
    going.kill()
