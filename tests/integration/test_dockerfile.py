"""The Dockerfile: linted, and its steps executed; tests/support/image.py says what that is worth."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay import __version__
from tests.conftest import Broker
from tests.support.image import CannotEmulate, Stage, build, copy_context
from tests.support.kafka_cluster import KafkaCluster
from tests.support.need import need, need_root
from tests.support.process import ROOT
from tests.support.readback import compare, expected_records, read_topic

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = 10_001
CONTEXT_BYTES_MAX = 3_000_000
"""What an engine is sent for each build: the package and its sample, a fraction of the checkout."""


def test_hadolint_finds_nothing() -> None:
    """Broken: a mistake that the linter knows by name, in the file or in a shell line of it."""
    command = [str(Path(sys.executable).parent / "hadolint"), "--no-color", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    copy_context(ROOT, folder)
    return folder


def test_the_context_is_small_and_holds_nothing_private(context: Path) -> None:
    """Broken: each build sends the virtual environment, or a checkpoint or a secret ends up in an image."""
    top = {path.name for path in context.iterdir()}
    assert top == {".ci", ".dockerignore", "Dockerfile", "LICENSE", "README.md", "data", "pyproject.toml", "replay"}
    files = [path for path in context.rglob("*") if path.is_file()]
    assert {path.suffix for path in files if path.parent != context} <= {
        ".py",
        ".lock",
        ".typed",
        ".parquet",
        ".md",
        ".css",
        ".jinja",
    }
    assert sum(path.stat().st_size for path in files) < CONTEXT_BYTES_MAX


@pytest.fixture(scope="module")
def image(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All steps of the file, executed."""
    need("unshare", "setpriv", "chroot", "useradd")
    need_root("a root folder of its own")
    folder = tmp_path_factory.mktemp("image")
    yield build(context, folder, {"VERSION": __version__})
    shutil.rmtree(folder)  # some hundred MB


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A fresh volume: an engine gives it the owner that its folder has in the image."""
    folder = tmp_path / "volume"
    folder.mkdir()
    shutil.chown(folder, USER, USER)
    return folder


def test_it_is_the_tool_of_this_version(image: Stage, volume: Path) -> None:
    """Broken: the image starts something else, or nothing, or says another version than it holds."""
    done = image.docker_run("--version", volume=volume)
    assert (done.returncode, done.stdout) == (0, f"replay {__version__}\n"), done.stderr
    assert image.labels["org.opencontainers.image.version"] == __version__
    assert "Usage: replay" in image.docker_run(volume=volume).stdout


@pytest.mark.parametrize("given", [{}, {"VERSION": "0.1"}])
def test_an_image_with_another_version_on_its_label_is_not_built(
    context: Path, tmp_path: Path, given: dict[str, str]
) -> None:
    """Broken: a build without the argument, or with last year's, carries a label that says nothing or is wrong."""
    need("unshare", "setpriv", "chroot")
    need_root("a root folder of its own")
    with pytest.raises(CannotEmulate, match="build with --build-arg VERSION="):
        build(context, tmp_path, given)


def test_it_is_not_root_and_can_write_to_its_volume_alone(image: Stage, volume: Path) -> None:
    """Broken: the tool runs with more rights than it needs, or cannot save its state."""
    own = (image.root / image.volume.lstrip("/")).stat()
    assert (own.st_uid, own.st_gid, own.st_mode & 0o777) == (USER, USER, 0o750)
    script = 'id -u; for f in / /opt/replay /etc "$HOME" /tmp; do touch "$f/x" 2>/dev/null && echo "$f"; done'
    done = image.run(["sh", "-c", script], volume=volume)
    assert done.stdout.split() == [str(USER), "/var/lib/replay", "/tmp"]


def test_nothing_of_the_build_is_left_in_it(image: Stage) -> None:
    """Broken: sources, wheels, a package cache or pip make the image bigger and give an intruder tools."""
    assert not (image.root / "src").exists()
    assert not (image.root / "dist").exists()
    assert list((image.root / "tmp").iterdir()) == []
    assert not (image.root / "root" / ".cache").exists()
    assert not (image.root / "opt/replay/bin/pip").exists()
    assert (image.root / "opt/replay/bin/replay").exists()


def test_the_demo_runs_in_it(image: Stage, volume: Path) -> None:
    """Broken: a library or the sample is missing, or something is written beside the volume and /tmp."""
    done = image.docker_run("demo", volume=volume)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost" in done.stdout


@pytest.mark.parametrize("value_format", ["avro", "protobuf", "json-schema"])
def test_it_writes_every_format(image: Stage, volume: Path, value_format: str) -> None:
    """Broken: a job with a schema asks for an extra that nobody can install there, or a compiler finds no place."""
    sample = "/opt/replay/lib/python{}.{}/site-packages/replay/_data".format(*sys.version_info)
    done = image.docker_run("schema", sample, "--format", value_format, volume=volume)
    assert done.returncode == 0, done.stderr
    assert "event_time" in done.stdout


def test_it_can_log_in_to_aws(image: Stage, volume: Path) -> None:
    """Broken: `--security msk-iam` asks for an extra that nobody can install there."""
    done = image.run(["python", "-c", "import replay.kafka.login.iam"], volume=volume)
    assert done.returncode == 0, done.stderr


def test_its_state_is_on_the_volume(image: Stage, volume: Path, kafka: KafkaCluster | Broker, topic: str) -> None:
    """Broken: the checkpoint goes with the container, and the next night sends everything again."""
    sample = "/opt/replay/lib/python{}.{}/site-packages/replay/_data".format(*sys.version_info)
    command = ["run", sample, "--topic", topic, "--create-topic", "3", "--bootstrap-servers", kafka.bootstrap_servers]
    told = ["--report", "report.html", "--metrics-textfile", "replay.prom"]
    done = image.docker_run(*command, *told, volume=volume)
    assert done.returncode == 0, done.stderr
    assert "<svg" in (volume / "report.html").read_text()
    assert "replay_exit_code" in (volume / "replay.prom").read_text()
    assert "atplotlib" not in done.stderr, "it says where it cannot write its cache"
    assert json.loads((volume / f"{topic}.json").read_bytes())["state"] == "done"
    again = image.docker_run(*command, volume=volume)
    assert again.returncode == 0, again.stderr
    rows = pa.concat_tables([pq.read_table(path) for path in sorted((ROOT / "data").glob("*.parquet"))])
    verdict = compare(expected_records(rows), read_topic(kafka.bootstrap_servers, topic))
    assert verdict.exact, str(verdict)
