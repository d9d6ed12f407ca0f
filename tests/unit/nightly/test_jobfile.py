"""A job file: what it says reaches the command as if it had been typed, and secrets go no further."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from replay.cli.app import app
from replay.errors import UsageError
from replay.nightly.jobfile import read

FILE = """
rate = "1k/s"
[jobs.nightly]
inputs = "in/{date}.parquet"
topic = "trades"
linger = "5ms"
header = { feed = "x", kind = "y" }
check = false
transaction-ms = 250
delivery = "transactional"
[jobs.other]
inputs = ["a", "b"]
topic = "others"
rate = "max"
[kafka]
"bootstrap.servers" = "host:1"
"sasl.password" = "${env:SECRET}"
"socket.keepalive.enable" = true
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    for name in ("REPLAY_RATE", "REPLAY_TOPIC"):
        monkeypatch.delenv(name, raising=False)


def show(folder: Path, *args: str, file: str = FILE, **env: str) -> tuple[int, dict[str, str], str]:
    """`replay config show`: its exit code, what it says of each option, and its errors."""
    path = folder / "jobs.toml"
    path.write_text(file)
    done = CliRunner().invoke(app, ["config", "show", "--config", str(path), *args], env=env, prog_name="replay")
    lines = (line.split(None, 1) for line in done.stdout.splitlines())
    return done.exit_code, dict(lines), done.stderr


def test_what_the_file_says_and_who_wins(tmp_path: Path) -> None:
    """Broken: a nightly run would use another rate, topic or delivery than its file says."""
    code, told, errors = show(tmp_path, "--job", "nightly", "--date", "2026-11-22", "--linger", "7ms")
    assert code == 0, errors
    assert told["--topic"].startswith("trades  (")
    assert told["--rate"].startswith("1k/s  (")
    assert told["--linger"] == "7ms  (command line)"
    assert told["--delivery"].startswith("transactional  (")
    assert told["--transaction-ms"].startswith("250  (")
    assert told["--header"].startswith("feed=***, kind=***  (")
    assert told["--check"].startswith("false  (")
    assert told["--batch-size"] == "1MB  (default)"
    code, told, errors = show(tmp_path, "--job", "other", REPLAY_LINGER="9ms")
    assert code == 0, errors
    assert told["--rate"].startswith("max  (")
    assert told["--linger"] == "9ms  (REPLAY_LINGER)"


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    """Broken: the password of the cluster would stand in a terminal, a log or a report."""
    _, told, errors = show(tmp_path, "--job", "other", "-X", "ssl.key.password=geheim")
    assert "hunter2" not in str(told) + errors
    assert "geheim" not in str(told) + errors


REGISTRY = """
[registry]
url = ["https://me:hunter2@a:8081", "https://b:8081"]
"bearer.auth.token" = "${env:SECRET}"
"ssl.ca.location" = "/dev/null"
"""


def test_the_registry_has_a_table_as_kafka_has(tmp_path: Path) -> None:
    """Broken: its password could only be given on the command line, for all to see."""
    chosen = "--job", "other", "--format", "avro"
    code, told, errors = show(tmp_path, *chosen, file=FILE + REGISTRY.replace("me:hunter2@", ""))
    assert code == 0, errors
    assert told["--registry"].startswith("https://a:8081, https://b:8081  (")
    assert told["--registry"].endswith("[registry] url)")
    assert told["--registry-config"] == f"***  ({tmp_path}/jobs.toml, [registry])"
    options = "--registry", "https://c:1", "--registry-config", "timeout=3"
    code, told, errors = show(tmp_path, *chosen, *options, file=FILE + REGISTRY.replace("${env:SECRET}", "open"))
    assert code == 0, errors
    assert told["--registry"] == "https://c:1  (command line)"
    assert told["--registry-config"].startswith(
        "timeout=3, bearer.auth.token=***, ssl.ca.location=/dev/null  (--registry-"
    )


def test_the_registry_may_also_be_a_key_of_the_job(tmp_path: Path) -> None:
    """Broken: --registry alone would need a table, unlike all other options."""
    file = FILE.replace('topic = "others"', 'topic = "others"\nregistry = "https://me:hunter2@a:8081"')
    code, told, errors = show(tmp_path, "--job", "other", "--format", "avro", file=file)
    assert code == 0, errors
    assert told["--registry"].startswith("https://***@a:8081  (")
    code, told, errors = show(tmp_path, "--job", "other", "--format", "avro", file='registry = "https://a"\n' + FILE)
    assert (code, told["--registry"].startswith("https://a  (")) == (0, True), errors


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("bearer.auth.token", "bearer.auth.tokn"), ("[registry]: there is no setting", "bearer.auth.token?")),
        (("/dev/null", "/no/such"), ("[registry]: ssl.ca.location: there is no file /no/such",)),
        (("https://b", "ftp://b"), ("[registry] url: this is no URL",)),
        (("${env:SECRET}", "${env:NOT_SET}"), ("the variable NOT_SET is not set",)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_registry_s_table_that_cannot_work_is_named(tmp_path: Path, change, says) -> None:
    """Broken: the operator looks for --registry-config in a command line that has none."""
    file = FILE + REGISTRY.replace("me:hunter2@", "").replace(*change)
    code, _, errors = show(tmp_path, "--job", "other", "--format", "avro", file=file)
    assert code == 2, errors
    for text in says:
        assert text in errors
    assert "hunter2" not in errors


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("linger", "lnger"), ("'lnger'", "did you mean linger?")),
        (('"5ms"', '["5ms", "6ms"]'), ("linger takes one value",)),
        (("check = false", 'check = "no"'), ("check takes true or false",)),
        (('"transactional"', '"twice"'), ("'twice' does not fit delivery", "idempotent")),
        (("transaction-ms = 250", "transaction-ms = 0"), ("0 is too small for transaction_ms",)),
        (("${env:SECRET}", "${env:NOT_SET}"), ("the variable NOT_SET is not set",)),
        (("${env:SECRET}", "${file:/no/such}"), ("/no/such", "No such file")),
        (("${env:SECRET}", "${SECRET}"), ("refers to nothing",)),
        (("[kafka]", "[kafka"), ("this is not TOML",)),
        (("[jobs.other]", "[job]"), ("exclude each other",)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, change: tuple[str, str], says: tuple[str, ...]) -> None:
    """Broken: a typing error would be ignored until the morning, or end in a traceback."""
    code, _, errors = show(tmp_path, "--job", "nightly", "--date", "2026-11-22", file=FILE.replace(*change))
    assert code == 2, errors
    for text in says:
        assert text in errors
    assert "Traceback" not in errors
    assert "hunter2" not in errors


def test_a_job_must_be_named_where_there_are_several(tmp_path: Path) -> None:
    code, _, errors = show(tmp_path)
    assert (code, "name one: --job nightly" in errors) == (2, True)
    code, _, errors = show(tmp_path, "--job", "nighty")
    assert (code, "did you mean nightly?" in errors) == (2, True)


def test_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "h")
    (tmp_path / "secret").write_text("s\n")
    path = tmp_path / "jobs.toml"
    path.write_text(f'[job]\ntopic = "${{env:HOST}}-$$-${{file:{tmp_path}/secret}}"\nrate = "5/s"')
    values: dict[str, Any] = {
        name: (each.value, each.secret) for name, each in read(path).values(None, ["topic", "rate"]).items()
    }
    assert values == {"topic": ("h-$-s", True), "rate": ("5/s", False)}
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "none.toml")
