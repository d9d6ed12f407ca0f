"""Where secrets can be given to a command, each of them marked, and all that it writes and sends in one place."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.cli.commands import command
from tests.support.marked import Echo, found_below, found_in, secret
from tests.support.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.secured import SecuredKafka

DATA = str(ROOT / "data")
DAY, NEXT_DAY = "2026-11-02", "2026-11-03"
CLOSED = "127.0.0.1:9"

SETTINGS = {
    "sasl.password": secret("password"),
    "sasl.oauthbearer.client.secret": secret("client-secret"),
    "sasl.oauthbearer.config": f"principal=x extension_t={secret('oauth-config')}",
    "sasl.oauthbearer.assertion.private.key.passphrase": secret("assertion"),
    "ssl.key.password": secret("key-password"),
    "ssl.keystore.password": secret("keystore"),
}
"""Of librdkafka: those whose value is a secret and may be any text. Without TLS and SASL they mean nothing."""

REGISTRY_SETTINGS = {
    "basic.auth.user.info": f"me:{secret('registry')}",
    "proxy": f"http://p:{secret('proxy')}@{CLOSED}",
}

OF_SOURCE = ("--source-registry", "--source-registry-config")
"""They go with rows that are sent as they are, and with nothing else."""

BY_FILE = {"--password-file", "--cert-key-password-file", "--oauth-client-secret-file", "--oauth-token-file"}
"""Options that name the file of a secret. They go with `--security`, and each with another one."""

OF_REGISTRIES = ("--registry", "--registry-config", *OF_SOURCE)


@dataclass
class Scene:
    """A folder for all that is written, one beside it for what has secrets, and who listens."""

    folder: Path
    beside: Path
    echo: Echo
    kafka: SecuredKafka
    given: dict[str, list[str]] = field(init=False)
    """Of each option that can hold a secret: its values."""

    def __post_init__(self) -> None:
        echo = self.echo.address
        bucket = f"s3://AK{secret('s3-user')}:{secret('s3')}@bucket"
        self.given = {
            "INPUT": [f"{bucket}/x.parquet?endpoint_override=http://{echo}"],
            "-X": [*(f"{name}={value}" for name, value in SETTINGS.items()), "debug=all"],
            "--header": [f"auth={secret('header')}"],
            "--registry": [f"http://me:{secret('registry-url')}@{echo}"],
            "--registry-config": [f"{name}={value}" for name, value in REGISTRY_SETTINGS.items()],
            "--source-registry": [f"http://me:{secret('source-url')}@{echo}"],
            "--source-registry-config": [f"proxy=http://p:{secret('source-proxy')}@{CLOSED}"],
            "--notify": [f"http://{echo}/hook/{secret('notify')}"],
            "--metrics-push": [f"http://me:{secret('push')}@{echo}"],
        }

    def secrets_of(self, words: str, *without: str) -> list[tuple[str, str, str]]:
        """Name, variable and value of each option of the command that can hold a secret."""
        return [
            (option.name, option.variable, value)
            for option in command(words).options
            if option.name in self.given and option.name not in without
            for value in self.given[option.name]
        ]

    def run(
        self,
        name: str,
        args: Sequence[str],
        env: Mapping[str, str] | None = None,
        stop_after: str = "",
        start: Sequence[str] = ("-m", "replay"),
    ) -> int:
        """`replay ARGS`, to its end; its exit code. What it says is written below the folder. With `stop_after` it gets
        a SIGTERM once it has said that."""
        told = self.folder / name
        told.mkdir()
        own = {each: value for each, value in os.environ.items() if not each.startswith("REPLAY_")}
        own |= {"XDG_STATE_HOME": str(self.folder / "state")} | dict(env or {})
        with (told / "stdout").open("wb") as stdout, (told / "stderr").open("wb") as stderr:
            command = [sys.executable, *start, *args]
            process = subprocess.Popen(
                command, cwd=told, env=own, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
            )
            deadline_s = time.monotonic() + 60
            while stop_after and process.poll() is None and time.monotonic() < deadline_s:
                if stop_after in (told / "stderr").read_text():
                    process.send_signal(signal.SIGTERM)
                    break
                time.sleep(0.02)
            return process.wait(60)

    def job_file(self, name: str) -> Path:
        """Secrets by reference to a file and to a variable, and plain."""
        password, job = self.beside / "key-password", self.beside / f"{name.replace(' ', '-')}.toml"
        password.write_text(SETTINGS["ssl.key.password"])
        by_reference = {"sasl.password": "${env:KAFKA_PASSWORD}", "ssl.key.password": f"${{file:{password}}}"}
        settings = SETTINGS | by_reference | {"debug": "all"}
        lines = ["[job]", f"inputs = '{DATA}'", 'cron = "0 2 29 2 *"', "[kafka]"]
        job.write_text("\n".join([*lines, *(f'"{each}" = "{value}"' for each, value in settings.items())]))
        return job

    def file(self, place: str, text: str = "") -> str:
        """The path of a file with a secret, that others may read."""
        path = self.beside / place
        path.write_text(text or secret(place))
        path.chmod(0o644)
        return str(path)

    def way_in(self) -> list[str]:
        """To the broker's listener with TLS and logins."""
        where = ["--bootstrap-servers", self.kafka.address("SASL"), "-X", "security.protocol=SASL_SSL"]
        return [*where, "-X", f"ssl.ca.location={self.kafka.authority.certificate}"]

    def said(self, name: str) -> str:
        return (self.folder / name / "stderr").read_text() + (self.folder / name / "stdout").read_text()

    def check(self) -> None:
        """Nothing that was written or sent has a secret."""
        for path in self.folder.rglob("history.sqlite"):
            with sqlite3.connect(path) as history:
                history.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        leaked = found_below(self.folder)
        assert not leaked, leaked
        sent = [each for each in self.echo.heard if "hook" in each.path or "metrics" in each.path]
        assert [found for each in sent if (found := found_in(each.body))] == []
