"""The schema registry of the tests, and what stands before it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError

import pytest

from tests.integration.test_kafka_cluster import gone
from tests.support.certificates import make_certificates
from tests.support.registry import Registry, ask
from tests.support.registry_front import Front, refusal, tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE = '{"type":"record","name":"Trade","fields":[{"name":"a","type":"string"}]}'
OTHER = '{"type":"record","name":"Trade","fields":[{"name":"b","type":"int"}]}'


def test_what_is_registered_outlives_a_kill_and_not_a_wipe(own_registry: Registry) -> None:
    """Broken: fault tests would run against a registry that had forgotten all, or that cannot forget."""
    assert own_registry.register("a/b", ONE) == own_registry.register("other", ONE)
    own_registry.kill()
    with pytest.raises(URLError):
        own_registry.ask("GET", "/subjects")
    own_registry.start()
    assert own_registry.versions("a/b") == [1]
    own_registry.freeze()
    with pytest.raises(TimeoutError):
        own_registry.ask("GET", "/subjects", timeout_s=0.5)
    own_registry.thaw()
    own_registry.stop()
    own_registry.wipe()
    own_registry.start()
    assert own_registry.versions("a/b") == []


def test_a_registry_does_not_outlive_a_killed_test_run(registry: Registry, tmp_path: Path) -> None:
    """Broken: each aborted test run would leave a Java process behind."""
    del registry  # there is one: this machine can
    script = (
        "import sys, time; from pathlib import Path; from tests.support.registry import Registry\n"
        "registry = Registry(Path(sys.argv[1])); registry.start_without_waiting()\n"
        "print(registry._program.pid, flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True) as run:
        assert run.stdout is not None
        process = int(run.stdout.readline())
        os.kill(process, 0)
        run.kill()
    assert gone(process, within_s=10)


def test_a_front_passes_on_what_it_is_not_told_to_spoil(registry: Registry, front: Front, topic: str) -> None:
    """Broken: a fault test could be about the front, and not about the fault."""
    schema_id = registry.register(topic, ONE)
    assert ask(front.url, "GET", f"/schemas/ids/{schema_id}") == registry.ask("GET", f"/schemas/ids/{schema_id}")
    assert ask(front.url, "POST", f"/subjects/{topic}/versions", {"schema": ONE}) == {"id": schema_id}
    assert [each.method for each in front.writes] == ["POST"]
    front.answer(refusal(403, 40301, "no"), "POST", "versions")
    with pytest.raises(HTTPError, match="403"):
        ask(front.url, "POST", f"/subjects/{topic}/versions", {"schema": ONE})
    assert ask(front.url, "GET", f"/subjects/{topic}/versions") == [1]
    front.heal()
    front.swap(schema_id, OTHER)
    assert ask(front.url, "GET", f"/schemas/ids/{schema_id}")["schema"] == OTHER


def test_a_front_names_schemas_by_guid(registry: Registry, front: Front, topic: str) -> None:
    """Broken: nothing would test records that name their schema in a header."""
    registry.register(topic, ONE)
    front.give_guids()
    guid = ask(front.url, "GET", f"/subjects/{topic}/versions/1")["guid"]
    assert ask(front.url, "POST", f"/subjects/{topic}", {"schema": ONE})["guid"] == guid
    assert json.loads(ask(front.url, "GET", f"/schemas/guids/{guid}")["schema"]) == json.loads(ONE)


@pytest.fixture(scope="module")
def secured(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Path]]:
    made = make_certificates(tmp_path_factory.mktemp("tls"))
    with Front(registry.address, tls=tls_context(made.broker), basic="me:secret") as front:
        yield front, made.authority


def test_a_front_speaks_tls_and_wants_a_password(secured: tuple[Front, Path]) -> None:
    """Broken: tests of TLS and credentials would go through without either."""
    front, _ = secured
    with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(front.url, "GET", "/subjects")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(ssl, "_create_default_https_context", ssl._create_unverified_context)
        with pytest.raises(HTTPError, match="401"):
            ask(front.url, "GET", "/subjects")
