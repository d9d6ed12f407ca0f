"""Who this client is to the cluster, which rights it needs there, and which refusals are waited for.

`RIGHTS` is the one table: errors and `replay check` take their words from it. The cluster's side of it is Kafka's
"Operations and Protocols on resources" (kafka.apache.org, Security, Authorization), KIP-679 for idempotent producers,
and what a 4.1 broker was seen to answer.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from importlib import import_module
from pathlib import Path

from confluent_kafka import KafkaError

from replay.errors import AccessDenied, RightMissing
from replay.kafka.login.token_source import tokens_of
from replay.kafka.login.tokens import Tokens
from replay.kafka.options import KafkaOptions


class Resource(StrEnum):
    """What a right is about, as `kafka-acls` calls it."""

    TOPIC = "topic"
    PROGRESS_TOPIC = "progress topic"  # to Kafka a topic like another
    TRANSACTIONAL_ID = "transactional-id"
    CLUSTER = "cluster"


class Use(StrEnum):
    """What somebody wants of the cluster. `backfill` and `schedule` run; `status` and `schema` ask no broker."""

    IDEMPOTENT = "run --delivery idempotent"
    TRANSACTIONAL = "run --delivery transactional"
    REBUILD = "checkpoint rebuild"
    VERIFY = "verify"
    PLAN = "plan"


_RUNS = frozenset({Use.IDEMPOTENT, Use.TRANSACTIONAL})
_ALL = frozenset(Use)


@dataclass(frozen=True, slots=True)
class Right:
    """`operation` as Kafka's ACLs name it, and who needs it for what. `absence` is how a broker shows that it is not
    there; `implied_by` are operations on the same resource that include it. With `creating`, it is needed only where
    the resource has to be made. `without`: what is done without it; empty where nothing can be."""

    operation: str
    resource: Resource
    uses: frozenset[Use]
    to: str
    absence: str
    implied_by: tuple[str, ...] = ()
    creating: bool = False
    without: str = ""


RIGHTS = (
    Right(
        "Describe", Resource.TOPIC, _ALL, "find its partitions, its id and its watermarks",
        "metadata: TOPIC_AUTHORIZATION_FAILED, whether or not it is there; some clusters: UNKNOWN_TOPIC_OR_PART",
        implied_by=("Read", "Write", "Alter", "Delete"),
    ),
    Right(
        "Write", Resource.TOPIC, _RUNS, "send rows",
        "produce: TOPIC_AUTHORIZATION_FAILED in delivery reports, fatal where rows wait behind; in a transaction:"
        " AddPartitionsToTxn says it, and rows come back purged",
    ),
    Right(
        "Read", Resource.TOPIC, frozenset({Use.IDEMPOTENT, Use.REBUILD, Use.VERIFY}),
        "read back which rows the topic has",
        "fetch: TOPIC_AUTHORIZATION_FAILED. No right to a group: readers assign partitions and commit nothing",
    ),
    Right(
        "Create", Resource.TOPIC, _RUNS, "create it (--create-topic)", "create: TOPIC_AUTHORIZATION_FAILED",
        creating=True,
    ),
    Right(
        "DescribeConfigs", Resource.TOPIC, _RUNS | {Use.PLAN}, "read its configuration",
        "describe configs: TOPIC_AUTHORIZATION_FAILED",
        without="retention, limits of times and sizes, and min.insync.replicas are not looked at beforehand",
    ),
    Right(
        "DescribeConfigs", Resource.CLUSTER, frozenset({Use.IDEMPOTENT}), "read replica.lag.time.max.ms",
        "describe configs: CLUSTER_AUTHORIZATION_FAILED",
        without="Kafka's default is taken for it",
    ),
    Right(
        "IdempotentWrite", Resource.CLUSTER, frozenset({Use.IDEMPOTENT}), "be an idempotent producer",
        "InitProducerId: CLUSTER_AUTHORIZATION_FAILED, fatal",
        implied_by=("Write on a topic, from Kafka 3.0 on (KIP-679)",),
    ),
    Right(
        "Describe", Resource.TRANSACTIONAL_ID, frozenset({Use.TRANSACTIONAL}), "find its coordinator",
        "FindCoordinator: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, fatal",
        implied_by=("Write",),
    ),
    Right(
        "Write", Resource.TRANSACTIONAL_ID, frozenset({Use.TRANSACTIONAL}), "begin and end transactions",
        "InitProducerId, AddPartitionsToTxn, EndTxn, produce: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, fatal",
    ),
    Right(
        "Describe", Resource.PROGRESS_TOPIC, frozenset({Use.TRANSACTIONAL}), "find it", "as of the topic",
        implied_by=("Read", "Write", "Alter", "Delete"),
    ),
    Right("Read", Resource.PROGRESS_TOPIC, frozenset({Use.TRANSACTIONAL}), "know what is committed", "as of the topic"),
    Right("Write", Resource.PROGRESS_TOPIC, frozenset({Use.TRANSACTIONAL}), "commit how far it is", "as of the topic"),
    Right(
        "Create", Resource.PROGRESS_TOPIC, frozenset({Use.TRANSACTIONAL}), "create it where it is missing",
        "as of the topic", creating=True,
    ),
)  # fmt: skip


def needed(use: Use, resource: Resource | None = None, *, creating: bool = False) -> tuple[Right, ...]:
    """Without what cannot be done what is wanted; with `creating`, what it takes to make the resource, too."""
    return tuple(
        right
        for right in RIGHTS
        if use in right.uses
        and (resource is None or right.resource is resource)
        and not right.without
        and (creating or not right.creating)
    )


def right(operation: str, resource: Resource) -> Right:
    """The one of the table."""
    return next(each for each in RIGHTS if (each.operation, each.resource) == (operation, resource))


def missing(rights: Iterable[Right], allowed: frozenset[str]) -> tuple[Right, ...]:
    """Those that are not among the operations that the cluster says are allowed on the resource."""
    return tuple(each for each in rights if allowed.isdisjoint({each.operation, *each.implied_by}))


@dataclass(frozen=True, slots=True)
class Account:
    """Who this client is to the cluster. `certificate` is the file of its own, where that says who it is; `renewed`
    says how a new credential can come by itself, and is empty where none can."""

    bootstrap_servers: str = ""
    user: str = ""
    mechanism: str = ""  # of a login; empty: there is none
    certificate: str = ""
    renewed: str = ""
    tokens: Tokens | None = field(default=None, compare=False, repr=False)  # that it logs in with, where they are ours

    @staticmethod
    def of(options: KafkaOptions) -> Account:
        settings, secrets, renewed = options.settings, options.secrets, ""
        servers, certificate = options.bootstrap_servers, settings.get("ssl.certificate.location", "")
        if not settings.get("security.protocol", "").upper().startswith("SASL"):
            return Account(servers, certificate=certificate, renewed=f"{certificate} is read again" * bool(certificate))
        if secrets.password_file is not None:
            renewed = f"{secrets.password_file} is read again"
        elif secrets.oauth is not None:
            renewed = f"new tokens come from {secrets.oauth.token_file or secrets.oauth.token_url}"
        elif secrets.msk_iam:
            renewed = "new tokens are signed"
        elif settings.get("sasl.oauthbearer.method", "").lower() == "oidc":
            renewed = "librdkafka asks for new tokens"
        mechanism = (
            settings.get("sasl.mechanism") or settings.get("sasl.mechanisms") or "GSSAPI"
        )  # librdkafka's default
        user = settings.get("sasl.username", "")
        return Account(servers, user, mechanism, renewed=renewed, tokens=tokens_of(options))

    @property
    def logs_in(self) -> bool:
        return bool(self.mechanism or self.certificate)

    @property
    def principal(self) -> str:
        """As ACLs name it, where a broker has its default rules for names (KIP-371); empty where only it knows."""
        if self.user:
            return f"User:{self.user}"
        if not self.certificate:
            return ""
        certificates = import_module("replay.kafka.tls.certificates")  # its library takes 100 ms to import
        with suppress(OSError, ValueError):
            return f"User:{certificates.from_pem(Path(self.certificate).read_bytes())[0].subject}"
        return ""

    @property
    def in_words(self) -> str:
        """`user bob, SCRAM-SHA-512`."""
        return ", ".join(filter(None, [f"user {self.user}" if self.user else "this client", self.mechanism]))


def kafka_acls(account: Account, resource: Resource, name: str, operations: Sequence[str]) -> str:
    """The command that grants these operations on a resource. The cluster has no name."""
    principal = shlex.quote(account.principal or "User:…")
    if resource is Resource.CLUSTER:
        where = "--cluster"
    elif resource is Resource.TRANSACTIONAL_ID:
        where = f"--transactional-id {shlex.quote(name)}"
    else:
        where = f"--topic {shlex.quote(name)}"
    which = " ".join(f"--operation {each}" for each in operations)
    return (
        f"kafka-acls --bootstrap-server {account.bootstrap_servers} --add --allow-principal {principal} {which} {where}"
    )


def lacking(account: Account, rights: Sequence[Right], name: str, said: str = "") -> RightMissing:
    """The error for rights on one resource that are not there. `said`: by the cluster."""
    resource = rights[0].resource
    what = " and no right to ".join(f"{each.operation} (to {each.to})" for each in rights)
    command = kafka_acls(account, resource, name, [each.operation for each in rights])
    return RightMissing(
        f"{account.principal or 'this client'} has no right to {what} on {resource_name(resource, name)}"
        + (f": {said}" if said else ""),
        where="Kafka",
        todo=f"let an administrator grant it, and run again: {command}",
    )


def may_not_write(account: Account, topic: str, said: str) -> RightMissing:
    """The error for rows that a topic does not take from this client."""
    return lacking(account, [right("Write", Resource.TOPIC)], topic, said)


def resource_name(resource: Resource, name: str) -> str:
    return "the cluster" if resource is Resource.CLUSTER else f"{resource} {name}"


class Refused(Enum):
    """What a cluster refuses a client: to let it in, or to do something."""

    LOGIN = "login"
    RIGHT = "right"


_LOGIN = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
_RIGHT = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""Not a group's: no reader here belongs to one, and librdkafka looks for its coordinator all the same."""

_RESOURCE_OF = {
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: right("IdempotentWrite", Resource.CLUSTER),
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: right("Write", Resource.TRANSACTIONAL_ID),
}


def refused(code: int) -> Refused | None:
    """What an error of the client's says is refused; None for any other error."""
    return Refused.LOGIN if code in _LOGIN else Refused.RIGHT if code in _RIGHT else None


def is_waited_for(what: Refused, account: Account, *, met: bool) -> bool:
    """The one rule. A login is waited for in mid-run (`met`: the cluster has let this client in before), where a new
    credential can come by itself. A right is never: somebody took it away on purpose, and has to give it back."""
    return what is Refused.LOGIN and met and bool(account.renewed)


def login_refused(account: Account, said: str, *, met: bool = False) -> AccessDenied:
    """The error for a login. `said` is librdkafka's text. `met`: the cluster has let this client in before."""
    if "SASL state" in said and not met:  # ILLEGAL_SASL_STATE, in librdkafka's words
        return AccessDenied(
            f"this listener has no login (SASL), and {account.in_words} wants to log in",
            where="Kafka",
            todo="name the port of a listener with a login; or connect without one: --security tls or mtls"
            " (-X security.protocol=SSL), or without TLS no --security at all",
        )
    is_about_mechanism = "mechanism handshake failed" in said
    todo = "check user and password (--user, --password-file, or -X sasl.username=…, sasl.password=…), and run again"
    if is_about_mechanism:
        todo = "choose a mechanism that the broker has (-X sasl.mechanism=…), and run again"
    elif account.tokens is not None:
        said = f"{said}; {account.tokens.told()}"
        todo = (
            "compare that with what the broker expects (sasl.oauthbearer.expected.issuer and .audience, its clock, its"
            " keys), and run again"
        )
    return AccessDenied(f"the broker refuses the login of {account.in_words}: {said}", where="Kafka", todo=todo)


def right_refused(account: Account, code: int, said: str, transactional_id: str = "") -> RightMissing:
    """The error for a code that says by itself what it is about; of a topic's only the caller knows which right."""
    about = _RESOURCE_OF.get(code)
    if about is None or (about.resource is Resource.TRANSACTIONAL_ID and not transactional_id):
        return RightMissing(f"{account.in_words} may not do this: {said}", where="Kafka", todo="check the rights")
    return lacking(account, [about], transactional_id, said)
