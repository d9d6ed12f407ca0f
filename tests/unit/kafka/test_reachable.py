"""What no waiting heals is found out by looking; what may heal is never refused."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.errors import UsageError
from replay.kafka import reachable
from replay.kafka.broker_news import BrokerNews, in_words
from replay.kafka.reachable import Prospects, refuse_advertised, why_unreachable
from tests.support.pki import Authority
from tests.support.tls_server import server_context, serving

NOBODY = ("127.0.0.1", 1)
NAMELESS = ("no-such-host.invalid", 9092)


@pytest.fixture
def somebody() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


def test_one_broker_that_can_be_reached_is_enough_to_wait(somebody):
    """Broken: a node that is down in a cluster of three ends a night with exit 2."""
    refuse_advertised("a:9092", [NOBODY, somebody, NAMELESS])
    refuse_advertised("a:9092", [])  # nobody answers any more


def test_where_none_can_be_reached_each_is_told_with_its_reason():
    with pytest.raises(UsageError) as refused:
        refuse_advertised("a:9092", [NOBODY, NAMELESS])
    for word in ("answers at a:9092", "127.0.0.1:1 (connection refused)", "no-such-host.invalid:9092 (this name"):
        assert word in str(refused.value)


def test_name_servers_that_are_away_prove_nothing(monkeypatch):
    """Broken: an outage of the name servers is taken for a mistake in advertised.listeners."""

    def away(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "create_connection", away)
    assert why_unreachable(NAMELESS) == ""


def prospects(*, answered: bool = False, reached: bool = False) -> Prospects:
    return Prospects("127.0.0.1:1", dict, 300.0, answered, reached)


def test_a_cluster_that_was_reached_once_is_waited_for():
    """Broken: a broker whose name goes with its container ends the run while it restarts."""
    prospects(answered=True, reached=True).give_up(200.0, "", lambda: [NAMELESS])


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[tuple[tuple[str, int], dict[str, str], Authority]]:
    """Somebody with a certificate of an authority that is not in the file of those who are trusted."""
    trusted, theirs = Authority(tmp_path / "ours", "night-ca"), Authority(tmp_path / "theirs", "day-ca")
    settings = {"security.protocol": "SSL", "ssl.ca.location": str(trusted.certificate)}
    with serving(server_context(theirs.issue("broker", hosts=("localhost",)))) as address:
        yield address, settings, theirs


@pytest.mark.parametrize("answered", [False, True])
def test_a_certificate_that_is_wrong_at_first_is_refused(answered, foreign):
    """Broken: a bootstrap address, or one that is advertised, whose certificate does not fit is waited for."""
    address, settings, _ = foreign
    known = Prospects("localhost:" + str(address[1]), lambda: settings, 300.0, answered=answered)
    known.give_up(reachable.LOOK_S - 0.1, "", lambda: [address])
    with pytest.raises(UsageError, match="is signed by none of") as refused:
        known.give_up(reachable.LOOK_S, "", lambda: [address])
    assert ("advertised.listeners" in str(refused.value)) == answered


def test_one_that_is_wrong_later_is_the_reason_until_it_heals(foreign):
    """Broken: a rotation ends the run; or a broker is called untrusted long after its authority is known."""
    address, settings, theirs = foreign
    known = Prospects("127.0.0.1:1", lambda: settings, 300.0, answered=True, reached=True, known=[address])
    fault = known.give_up(reachable.LOOK_S, "", list)
    assert fault is not None
    assert "is signed by none of" in str(fault)
    assert known.give_up(reachable.LOOK_S + 0.5, "", list) is fault  # without another look
    Path(settings["ssl.ca.location"]).write_bytes(theirs.certificate.read_bytes())
    assert known.give_up(3 * reachable.LOOK_S, "", list) is None


def test_a_name_has_some_seconds_to_become_known():
    known = prospects(answered=True)
    known.give_up(reachable.UNREACHABLE_S - 0.1, "", lambda: [NAMELESS])
    with pytest.raises(UsageError):
        known.give_up(reachable.UNREACHABLE_S, "", lambda: [NAMELESS])


def test_nobody_at_the_bootstrap_address_is_an_outage():
    prospects().give_up(200.0, "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused", list)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state X)",
            "127.0.0.1:1: connection refused",
        ),
        (
            "ssl://b-2:9093/2: Disconnected: connection closed by peer: receive 0 after POLLIN (after 2ms in state UP)",
            "b-2:9093: connection closed by peer",
        ),
        (
            "kafka:9092/1: Failed to resolve 'kafka:9092': Name or service not known (after 1ms in state CONNECT)",
            "kafka:9092: its name does not resolve: Name or service not known",
        ),
        ("Timed out waiting for controller", "Timed out waiting for controller"),
        ("a:1/1: SSL handshake failed: bad (after 9ms in state SSL_HANDSHAKE)", "a:1: SSL handshake failed: bad"),
    ],
)
def test_errors_in_words(said, told):
    """Broken: an operator reads of states and milliseconds, and not which address is meant."""
    assert in_words(said) == told


class Error:
    def __init__(self, code: int, text: str) -> None:
        self._code, self._text = code, text

    def code(self) -> int:
        return self._code

    def str(self) -> str:
        return self._text

    def fatal(self) -> bool:
        return False


def test_that_all_brokers_are_down_is_no_reason():
    """Broken: "0/3 brokers are down" hides that a name does not resolve, and counts the bootstrap address as one."""
    news = BrokerNews()
    news.on_error(Error(-193, "kafka:9092/1: Failed to resolve 'kafka:9092'"))
    news.on_error(Error(-187, "0/3 brokers are down"))
    assert news.errors == 2
    assert "resolve" in news.last_error


def test_a_broker_is_looked_at_without_loading_anything() -> None:
    """Broken: a replay whose memory is short and whose broker is away is told as a bug, since the codec of host names
    could not be loaded."""
    program = """
import sys
from replay.kafka.reachable import why_unreachable
before = set(sys.modules)
why_unreachable(("127.0.0.1", 1))
print(sorted(set(sys.modules) - before))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
