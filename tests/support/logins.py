"""A replay that logs in to a secured cluster, with a user of its own and just the rights that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.support.scenario import Scenario
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import Jobs
    from tests.support.scenario import Trades
    from tests.support.secured import SecuredKafka

PASSWORD = "a-password-of-tests"


@dataclass(frozen=True)
class User:
    """A SCRAM user of `secured`, whose password is in `file`, too."""

    secured: SecuredKafka
    name: str
    file: Path

    @property
    def principal(self) -> str:
        return f"User:{self.name}"

    @property
    def by_file(self) -> tuple[str, ...]:
        """Options of a login whose password is in a file."""
        return (*self._tls, "--security", "scram", "--user", self.name, "--password-file", str(self.file))

    def by_settings(self, password: str = PASSWORD, mechanism: str = "SCRAM-SHA-512") -> tuple[str, ...]:
        """Options of one whose password is on the command line."""
        login = {"security.protocol": "SASL_SSL", "sasl.mechanism": mechanism, "sasl.username": self.name}
        login["sasl.password"] = password
        login["ssl.ca.location"] = str(self.secured.authority.certificate)
        server = ("--bootstrap-servers", self.secured.address("SASL"))
        return (*server, *(word for name, value in login.items() for word in ("-X", f"{name}={value}")))

    @property
    def _tls(self) -> tuple[str, ...]:
        ca = str(self.secured.authority.certificate)
        return ("--bootstrap-servers", self.secured.address("SASL"), "--ca", ca)

    def allow(self, kind: str, name: str, *operations: str) -> None:
        self.secured.allow(self.principal, kind, name, *operations)

    def withdraw(self, kind: str = "", name: str | None = None, operation: str = "") -> None:
        assert self.secured.withdraw(self.principal, kind, name, operation)

    def change_password(self, password: str) -> None:
        self.secured.add_user(self.name, password)


def new_user(secured: SecuredKafka, folder: Path) -> User:
    """Without any right."""
    user = User(secured, f"user-{uuid4().hex[:8]}", folder / f"password-{uuid4().hex[:8]}")
    user.file.write_text(PASSWORD + "\n")
    user.file.chmod(0o600)
    secured.add_user(user.name, PASSWORD)
    return user


@dataclass(frozen=True)
class Secured:
    """A replay of its own user's. The topic is read back over the listener where everything is allowed."""

    user: User
    replay: Scenario
    progress_topic: str
    job: str

    @property
    def transactional_id(self) -> str:
        return f"replay.{self.replay.topic}.{self.job}"

    def allow_all(self) -> None:
        """What the README says that a replay of this delivery needs."""
        self.user.allow("topic", self.replay.topic, "write", "read", "describe")
        if self.replay.isolation == "read_committed":
            self.user.allow("topic", self.progress_topic, "write", "read", "describe", "create")
            self.user.allow("transactional_id", self.transactional_id, "write", "describe")


def secured_replay(
    user: User, trades: Trades, topic: str, folder: Path, jobs: Jobs, *options: str, transactional: bool = False
) -> Secured:
    """Makes the topic. `options` with a login come from the user."""
    job = f"job-{uuid4().hex[:6]}"
    name = f"{topic}-{'tx' if transactional else 'id'}-{job}"
    create_topic(user.secured.bootstrap_servers, name, 3, config={"retention.ms": "-1"})
    delivery: tuple[str, ...] = ("--delivery", "idempotent")
    if transactional:
        delivery = ("--delivery", "transactional", "--progress-topic", f"{name}-progress")
    replay = Scenario(
        trades,
        user.secured.bootstrap_servers,
        name,
        folder / f"{name}.json",
        jobs,
        ("--job", job, *delivery, *options),
        isolation="read_committed" if transactional else "read_uncommitted",
    )
    return Secured(user, replay, f"{name}-progress", job)
