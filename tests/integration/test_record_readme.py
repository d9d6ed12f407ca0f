"""The page about formats: its commands run on a real broker and a real registry, as it shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.test_readme import Shell, fenced, shell_on
from tests.support.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Broker
    from tests.support.kafka_cluster import KafkaCluster
    from tests.support.registry import Registry

PAGE = (ROOT / "replay" / "record" / "README.md").read_text()
REGISTRY = "http://localhost:8081/apis/ccompat/v7"
"""The registry of a reader."""


@pytest.fixture
def shell(kafka: KafkaCluster | Broker, tmp_path: Path) -> Iterator[Shell]:
    yield from shell_on(kafka.bootstrap_servers, tmp_path)


def test_a_reader_gets_avro_into_a_topic_and_back(shell: Shell, own_registry: Registry) -> None:
    """Broken: the page's own commands fail, or what it says of them is not so."""
    (block,) = fenced(PAGE, "sh")
    named, *commands = block.replace(REGISTRY, own_registry.url).splitlines()
    assert len(commands) == 4

    def told(command: str) -> str:
        return shell.run(f"{named}\n{command}")

    printed, sent, plan, verified = map(told, commands)
    assert '"namespace": "com.acme"' in printed
    assert "20,000 in topic" in sent
    assert "com.acme.Trade as trades-avro-value; id 1" in " ".join(plan.split())
    assert "as the source" in " ".join(verified.split())
    assert own_registry.versions("trades-avro-value") == [1]
    shown = shell.run("replay checkpoint show $XDG_STATE_HOME/replay/trades-avro.json")
    kept = PAGE.partition("prints it:\n\n```\n")[2].partition("\n```")[0].splitlines()
    assert len(kept) == 3
    assert set(kept) <= set(shown.splitlines())
    own_registry.kill()
    again = shell.run(f"{commands[-1]} --job trades-avro")
    assert "as the source" in " ".join(again.split())


def test_without_the_option_nothing_is_registered(shell: Shell, registry: Registry) -> None:
    """Broken: the page promises exit 4, and a job writes into a registry unasked."""
    (block,) = fenced(PAGE, "sh")
    named, _, run, *_ = block.replace(REGISTRY, registry.url).splitlines()
    code = shell.run(f"{named}\n{run.replace(' --schema-register', '')} 2>/dev/null || echo exit $?")
    assert "exit 4" in code
    assert registry.versions("trades-avro-value") == []
