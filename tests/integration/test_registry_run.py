"""What can be wrong with a registry, as somebody who runs `replay run` meets it: one clear error each, of the right
exit code, without a secret. Nothing is sent, no topic is made, and a replay that has begun needs no registry."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.test_registry_faults import secured
from tests.support import bad_files as bad
from tests.support.called import Called, call
from tests.support.certificates import make_certificates
from tests.support.process import KILLED, checkpoint, replay_command
from tests.support.registry import API
from tests.support.registry_front import HTML, Answer, Front, refusal, tls_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.process import Jobs
    from tests.support.registry import Registry

ROWS = 200
GONE = "http://127.0.0.1:1"
TOLD = "s3cret"
"""Part of every password and token here."""


@pytest.fixture
def replay(kafka: KafkaCluster | Broker, topic: str, tmp_path: Path) -> Called:
    """A replay into a topic that would be made. It waits 2 s for a registry."""
    trades = bad.write(tmp_path / "trades.parquet", bad.trades(ROWS))
    options = ("--create-topic", "2", "--format", "avro", "--broker-timeout", "2s", "--linger", "5ms")
    return Called(kafka.bootstrap_servers, topic, trades, tmp_path / "checkpoint.json", options, [TOLD])


class Fault(NamedTuple):
    """How the front fails, the exit code, and what the error says."""

    spoil: Callable[[Front], None]
    code: int
    says: tuple[str, ...]
    registers: bool = False


def answers(answer: Answer, method: str = "", path: str = "") -> Callable[[Front], None]:
    return lambda front: front.answer(answer, method, path)


PAGE = Answer(200, HTML, "text/html")
REASON = "reader field 'price' lacks a default"

FAULTS = {
    "hanging": Fault(Front.hang, 5, ("no answer within 0.3 s", "--broker-timeout")),
    "cut": Fault(Front.cut, 5, ("the connection was closed without an answer", "--broker-timeout")),
    "500": Fault(answers(refusal(500, 50001, "Error in the backend")), 5, ("HTTP 500: Error in the backend",)),
    "503": Fault(answers(Answer(503, HTML, "text/html")), 5, ("HTTP 503", "--broker-timeout")),
    "401": Fault(answers(refusal(401, 401, "Unauthorized")), 2, ("HTTP 401", "basic.auth.user.info")),
    "403": Fault(answers(refusal(403, 40301, "denied: Read on Subject")), 2, ("HTTP 403", "denied: Read", "rights")),
    "403 on writing": Fault(
        answers(refusal(403, 40301, "denied: Write on Subject"), "POST", r"/versions$"), 2, ("HTTP 403", "Write"), True
    ),
    "404": Fault(answers(Answer(404, HTML, "text/html")), 2, ("no schema registry answers there (HTTP 404", API)),
    "a page": Fault(answers(PAGE), 2, ("what answers there is no schema registry: it is not JSON", "--registry")),
    "409": Fault(
        answers(refusal(409, 409, REASON), "POST", r"/versions$"),
        4,
        ("not compatible", REASON, "nothing was sent"),
        True,
    ),
    "422": Fault(
        answers(refusal(422, 42201, "Invalid schema"), "POST", r"/subjects/[^/]*(\?|$)"),
        2,
        ("HTTP 422", "Invalid schema"),
    ),
    "not compatible": Fault(
        answers(Answer(200, b'{"is_compatible": false, "messages": ["' + REASON.encode() + b'"]}'), "POST", "^/compat"),
        4,
        ("not compatible", REASON, "nothing was sent"),
        True,
    ),
    "not registered": Fault(lambda _: None, 4, ("the schema is not registered", "--schema-register", "-value")),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_registry(front: Front, registry: Registry, replay: Called, fault: Fault) -> None:
    """Broken: a trace, a wrong exit code, a message that helps nobody; or rows, a topic or a checkpoint left behind."""
    fault.spoil(front)
    more = ("--registry", f"http://me:{TOLD}@{front.address}{API}", "--registry-config", "timeout=0.3s")
    replay.refused(fault.code, *fault.says, more=more + ("--schema-register",) * fault.registers)
    assert not replay.has_topic
    assert not replay.checkpoint.exists()
    assert registry.versions(f"{replay.topic}-value") == []


def test_a_registry_that_is_down_at_the_start(replay: Called) -> None:
    """Broken: a job would end at once because the registry restarts, or wait for ever, or not say whom it waits for."""
    begin = time.monotonic()
    error = replay.refused(
        5, "127.0.0.1:1: connection refused", "within 2 s (--broker-timeout)", more=("--registry", GONE)
    )
    assert 1.5 < time.monotonic() - begin < 15
    assert "registry" in error
    assert not replay.has_topic


def test_a_registry_that_comes_back_in_time(front: Front, registry: Registry, replay: Called) -> None:
    """Broken: a restart of the registry would end the night's job."""
    front.fail_for(1.5, Answer(503))
    outcome = replay.run("--registry", front.url, "--schema-register", "--broker-timeout", "30s")
    assert "Registry unreachable since" in outcome.err
    assert "Registry back after" in outcome.err
    assert sum(map(len, replay.records())) == ROWS
    assert registry.versions(f"{replay.topic}-value") == [1]


@pytest.mark.parametrize(
    ("scheme", "says"),
    [
        ("https", ("signed by nobody that is trusted here", "ssl.ca.location")),
        ("http", ("what answers there speaks TLS", "https://")),
    ],
)
def test_tls_that_fails(registry: Registry, replay: Called, tmp_path: Path, scheme: str, says: tuple[str, ...]) -> None:
    """Broken: the wrong CA, or http:// for https://, would look like an outage."""
    with secured(registry, make_certificates(tmp_path).broker) as front:
        replay.refused(2, *says, more=("--registry", front.url.replace("https", scheme)))
    assert not replay.has_topic


def test_tls_and_a_password_in_a_file(registry: Registry, replay: Called, tmp_path: Path) -> None:
    """Broken: a registry inside a company could not be used; or a password would be shown, or be kept somewhere."""
    made, config = make_certificates(tmp_path), tmp_path / "nightly.toml"
    user = f"me:right-{TOLD}"
    (tmp_path / "user").write_text(f"{user}\n")
    with Front(registry.address, tls=tls_context(made.broker), basic=user) as front:
        where = f'[registry]\nurl = "{front.url}"\n"ssl.ca.location" = "{made.authority}"\n'
        config.write_text(f'{where}"basic.auth.user.info" = "me:wrong-{TOLD}"\n')
        replay.refused(2, "HTTP 401", "basic.auth.user.info", more=("--config", str(config), "--schema-register"))
        config.write_text(f'{where}"basic.auth.user.info" = "${{file:{tmp_path / "user"}}}"\n')
        outcome = replay.run("--config", str(config), "--schema-register")
    assert TOLD not in outcome.out + outcome.err + replay.checkpoint.read_text()
    assert sum(map(len, replay.records())) == ROWS


def test_another_schema_under_the_same_id(front: Front, registry: Registry, replay: Called) -> None:
    """Broken: after a restore of the registry, records would name a schema that readers cannot read them with."""
    text = call("schema", str(replay.inputs), "--format", "avro").out
    schema_id = registry.register(f"{replay.topic}-value", text)
    front.swap(schema_id, '{"type": "record", "name": "Trade", "fields": []}')
    replay.refused(4, f"has id {schema_id}", "another one under that id", more=("--registry", front.url))
    assert not replay.has_topic


def test_no_registry_is_named(replay: Called) -> None:
    """Broken: a replay under a schema would begin without an id, or end in a trace."""
    replay.refused(2, "--registry", "http://registry:8081")
    assert not replay.has_topic


def test_a_registry_that_goes_away_under_way(front: Front, replay: Called, jobs: Jobs) -> None:
    """Broken: a replay that has begun, or goes on, would need a registry, and a whole night depend on it."""
    command = replay_command(
        [replay.inputs], replay.topic, replay.bootstrap_servers, replay.checkpoint, *replay.options
    )
    where = ("--registry", front.url, "--rate", "100/s", "--checkpoint-interval", "50ms")
    job = jobs.start([*command, *where, "--schema-register"])
    job.wait_row(replay.checkpoint, 1)
    front.answer(Answer(503))
    asked = len(front.asked)
    job.wait_row(replay.checkpoint, 50)
    job.kill()
    assert job.exit_code == KILLED, job.log
    known = checkpoint(replay.checkpoint)["options"]["value schema id"]
    replay.run("--registry", front.url)
    assert len(front.asked) == asked, "the registry was asked again"
    assert checkpoint(replay.checkpoint)["options"]["value schema id"] == known
    assert sum(map(len, replay.records())) == ROWS
    again = replay.run()  # done: nobody is asked
    assert "--restart sends them again" in again.err
