"""What the image is made of: locked with hashes, within the bounds of pyproject.toml, and asked about."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE, BUILD = (ROOT / ".ci" / name for name in ("image.lock", "build.lock"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(path: Path) -> dict[str, str]:
    """Name to version. Each has hashes."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)):
        name, version = re.match(r"([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", entry.strip()).groups()  # type: ignore[union-attr]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), f"{name} has no hash"
        found[canonicalize_name(name)] = version
    return found


def wanted(extras: set[str]) -> Iterator[Requirement]:
    """What pyproject.toml asks for, with what these extras do."""
    listed = [*PROJECT["project"]["dependencies"]]
    for extra in extras:
        listed += PROJECT["project"]["optional-dependencies"][extra]
    for text in listed:
        requirement = Requirement(text)
        if requirement.name == PROJECT["project"]["name"]:
            yield from wanted(requirement.extras)
        else:
            yield requirement


def test_the_lock_is_within_the_bounds() -> None:
    """Broken: the image has another version than the project allows, or lacks what it needs; run .ci/lock."""
    extras = set(re.findall(r"\b[a-z-]+", re.search(r"for extra in (.*?);", (ROOT / ".ci/lock").read_text())[1]))  # type: ignore[index]
    found = locked(IMAGE)
    for each in wanted(extras):
        name = canonicalize_name(each.name)
        assert name in found, f"{name} is not in {IMAGE.name}"
        assert each.specifier.contains(found[name], prereleases=True), f"{name} {found[name]} is not {each.specifier}"
    assert {"avro", "json-schema", "metrics", "msk-iam", "protobuf", "report"} == extras


def test_what_builds_is_locked_too() -> None:
    """Broken: whoever can publish a new build tool decides what is in the wheel."""
    found = locked(BUILD)
    for text in PROJECT["build-system"]["requires"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(found[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("path", [IMAGE, BUILD], ids=lambda path: path.name)
def test_no_index_is_named(path: Path) -> None:
    """Broken: the image is built from one machine's package index, or an address with credentials is in the project."""
    text = path.read_text()
    assert "://" not in text
    assert "index" not in text
    assert text.startswith("# Made by .ci/lock")


def test_nothing_is_installed_without_a_hash() -> None:
    """Broken: the image has what the index says on the day that it is built."""
    steps = re.findall(r"pip .*?(?:install|wheel) [^\n]*", DOCKERFILE)
    assert len(steps) == 4
    for step in steps:
        from_index = "--no-index" not in step and "--no-build-isolation" not in step
        assert ("--require-hashes" in step) is from_index, step


@pytest.mark.parametrize(
    ("told", "code", "says"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, ""),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}], 1, "a 1: X-1, mended in 2"),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": []}]}], 1, "mended in no version"),
        ([{"name": "a", "skip_reason": "not found"}], 2, "could not ask about 1 of 1: a"),
        ([], 2, "could not ask"),
        (None, 2, "could not ask: no such host"),
    ],
)
def test_an_audit_that_could_not_ask_is_none(tmp_path: Path, told: object, code: int, says: str) -> None:
    """Broken: without a network, or with an index that knows no vulnerabilities, the audit is green. The service is
    none that can be reached everywhere: what pip-audit writes is given here, in its own format."""
    program = tmp_path / "pip-audit"
    document = json.dumps({"dependencies": told, "fixes": []})
    program.write_text(
        f"#!{sys.executable}\nimport sys\nif {told!r} is None:\n    sys.exit('no such host')\n"
        f"open(sys.argv[sys.argv.index('--output') + 1], 'w').write({document!r})\n"
    )
    program.chmod(0o755)
    command = [sys.executable, str(ROOT / ".ci/audit")]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr
