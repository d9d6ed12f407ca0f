"""How long a registry is waited for, and what its answers are taken for. No registry is asked."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from replay.errors import RegistryUnavailable, Stopped, UsageError
from replay.kafka.bounded import within
from replay.kafka.patience import Patience, Service
from replay.kafka.trouble import Trouble
from replay.registry.client import Registered, Registry, connect
from replay.registry.faults import Refusal, of_status, words_of
from replay.registry.options import RegistryOptions
from tests.support.schemas import avro
from tests.unit.fakes import FakeClock, Told

ONE = avro(a="string")
FOUND = {"id": 3, "version": 2, "guid": "g", "schema": ONE.text}


@dataclass
class FakeAddress:
    """Gives one answer after the other, the last one for ever."""

    answers: list[Any]
    asked: list[str] = field(default_factory=list)

    def ask(self, method, path, body, check_stop):
        del body
        check_stop()
        self.asked.append(f"{method} {path}")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Refusal):
            raise answer
        return answer


def registry(*addresses: FakeAddress, timeout_s: float = 300.0) -> tuple[Registry, FakeClock, Told]:
    clock, told = FakeClock(), Told()
    service = Service("Registry", "schema registry", "--registry", RegistryUnavailable)
    patience = Patience(clock, timeout_s, lambda: None, Trouble(told, clock, who="Registry"), service=service)
    return Registry(addresses, patience, lambda: None), clock, told


def test_it_is_waited_for_until_the_deadline_and_said_each_minute():
    """Broken: a job would give up at once, wait for ever, or fill the log."""
    asked, clock, told = registry(FakeAddress(["a:1: connection refused"]), timeout_s=150.0)
    with pytest.raises(RegistryUnavailable, match=r"within 150 s \(--broker-timeout\): a:1: connection refused"):
        asked.find("s", ONE)
    assert 150 <= clock.monotonic() - 1_000 < 151
    assert len(told.warnings) == 3
    assert all(each.startswith("Registry unreachable since ") for each in told.warnings)


def test_it_goes_on_when_the_registry_is_back():
    """Broken: an outage that is over would still end the job."""
    asked, _, told = registry(FakeAddress([*["away"] * 8, FOUND]))
    assert asked.find("s", ONE) == Registered(3, 2, "g", "s")
    assert told.infos == ["Registry back after 2 s."]


def test_addresses_are_asked_in_turn_and_the_first_answer_counts():
    """Broken: one address that is down or wrong would make the others useless."""
    wrong = UsageError("no registry", where="b")
    first, second, third = FakeAddress(["away"]), FakeAddress([wrong]), FakeAddress([FOUND])
    asked, clock, _ = registry(first, second, third)
    assert asked.find("s", ONE)
    assert clock.monotonic() == 1_000
    assert len(first.asked) == len(second.asked) == len(third.asked) == 1
    asked, clock, _ = registry(second, second)
    with pytest.raises(UsageError, match="no registry"):
        asked.find("s", ONE)
    assert clock.monotonic() == 1_000


def test_the_very_text_is_looked_for_first():
    """Broken: a schema that was registered without its normal form would not be found."""
    address = FakeAddress([Refusal(404, 40403, ""), FOUND])
    asked, _, _ = registry(address)
    assert asked.find("s/t", ONE)
    assert address.asked == ["POST subjects/s%2Ft?normalize=false", "POST subjects/s%2Ft?normalize=true"]


def test_a_proof_does_not_come_from_memory():
    """Broken: another schema under the id would not be noticed, as with the client's own cache."""
    address = FakeAddress([FOUND])
    asked, _, _ = registry(address)
    asked.text_of(3, "s")
    asked.text_of(3, "s")
    assert address.asked == ["GET schemas/ids/3?subject=s"] * 2


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, 50001, str), (503, -1, str), (429, 429, str), (408, None, str), (401, 40101, UsageError),
        (403, None, UsageError), (404, -1, UsageError), (404, None, UsageError), (404, 404, UsageError),
        (404, 40401, Refusal), (404, 40402, Refusal), (404, 40403, Refusal), (409, 409, Refusal), (409, -1, UsageError),
        (422, 42201, Refusal), (422, None, UsageError), (301, -1, UsageError),
        (405, -1, UsageError), (418, 418, UsageError),
    ],
)  # fmt: skip
def test_what_a_status_is_taken_for(status, code, kind):
    """Broken: what never heals would be waited for, or what heals would end the job."""
    assert isinstance(of_status("https://a", status, code, "words"), kind)


def test_only_a_registry_s_own_words_are_shown():
    """Broken: the page of some proxy would fill the log."""
    assert "page" not in str(of_status("https://a", 404, -1, "Unknown Schema Registry Error: b'<html>page'"))
    assert (
        words_of("io.apicurio.registry.rules.RuleViolationException: Incompatible\n artifact")
        == "Incompatible artifact"
    )
    assert words_of("Incompatible: x.y.Exception") == "Incompatible: x.y.Exception"
    assert words_of(None) == ""


def test_a_call_is_bounded_whatever_it_hangs_in():
    """Broken: a name server that says nothing would hold the job for ever."""
    forever = threading.Event()
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.2, forever.wait, lambda: None)
    assert time.monotonic() - start < 2
    forever.set()


def test_a_bounded_call_gives_and_raises_what_it_does():
    """Broken: an error of the registry would be lost in a thread."""
    assert within(5, lambda: 7, lambda: None) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0, lambda: None)

    def stop() -> None:
        raise Stopped(2, "stopped")

    forever = threading.Event()
    with pytest.raises(Stopped):
        within(60, forever.wait, stop)
    forever.set()


def test_without_its_packages_a_registry_names_the_extra(monkeypatch):
    """Broken: a trace of imports, in the night after an installation anew."""
    import sys

    monkeypatch.delitem(sys.modules, "replay.registry.address", raising=False)
    monkeypatch.setitem(sys.modules, "authlib.integrations.httpx_client", None)
    for name in [name for name in sys.modules if name.startswith("confluent_kafka.schema_registry")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"packages that are not installed .*\n.*\[registry\]"):
        connect(RegistryOptions(("http://a",)), 1, Told(), FakeClock(), lambda: None)
