"""A real broker that lets nobody in without the right certificate or login, and does not allow what no ACL allows.

Its plain listener is the tests' own: there everybody is a super user (`User:ANONYMOUS`). The others:

| listener | protocol | who |
|---|---|---|
| TLS | SSL | anybody, as `User:ANONYMOUS` |
| MTLS | SSL with a client's certificate | the certificate's name, as `User:CN=alice` |
| SASL | SASL_SSL | PLAIN alice / secret, SCRAM users (`add_user`), OAUTHBEARER with unsecured tokens |
| OPEN | SASL_PLAINTEXT | the same without TLS |
"""

from __future__ import annotations

import subprocess
from functools import cached_property
from typing import TYPE_CHECKING

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.support.kafka_cluster import KafkaCluster, Listener, jars
from tests.support.pki import Authority, Issued

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOST = "localhost"
ALICE, ALICES_PASSWORD = "alice", "alices-secret-7f3a"

_JAVA = "org.apache.kafka.common.security"
_TOKENS = f'{_JAVA}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";'
_UNSECURED = f"{_JAVA}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
_LOGINS = {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
    "plain.sasl.jaas.config": f'{_JAVA}.plain.PlainLoginModule required user_{ALICE}="{ALICES_PASSWORD}";',
    "scram-sha-256.sasl.jaas.config": f"{_JAVA}.scram.ScramLoginModule required;",
    "scram-sha-512.sasl.jaas.config": f"{_JAVA}.scram.ScramLoginModule required;",
    "oauthbearer.sasl.jaas.config": _TOKENS,
    "oauthbearer.sasl.server.callback.handler.class": _UNSECURED,
}


class SecuredKafka(KafkaCluster):
    """One node; as a context manager: ready inside, gone outside. `authority` signs for both sides; `broker` is the
    certificate that the broker shows. `sasl` are further settings of the listeners with a login (such as
    `connections.max.reauth.ms`, or another validator of tokens), `config` of the broker, `jvm` arguments of Java."""

    def __init__(
        self,
        folder: Path,
        *,
        broker: Issued | None = None,
        authority: Authority | None = None,
        sasl: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
        jvm: Sequence[str] = (),
    ) -> None:
        self.authority = authority or Authority(folder / "pki")
        self.broker = broker or self.authority.issue("broker", hosts=(HOST,))
        shown, logins = self.broker.both, _LOGINS | dict(sasl or {})
        trust = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.authority.certificate)}
        listeners = (
            Listener("TLS", tls=shown, host=HOST),
            Listener("MTLS", tls=shown, host=HOST, config={**trust, "ssl.client.auth": "required"}),
            Listener("SASL", tls=shown, host=HOST, sasl=True, config=logins),
            Listener("OPEN", host=HOST, sasl=True, config=logins),
        )
        access = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:CN={ALICE};User:{ALICE}",
        }
        super().__init__(folder, 1, access | dict(config or {}), listeners, jvm)

    @cached_property
    def admin(self) -> AdminClient:
        """Who may do everything."""
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def add_user(self, name: str, password: str, mechanism: str = "SCRAM-SHA-512") -> None:
        """A SCRAM user, or another password for one. It has no rights."""
        kind = ScramMechanism.SCRAM_SHA_512 if mechanism == "SCRAM-SHA-512" else ScramMechanism.SCRAM_SHA_256
        change = UserScramCredentialUpsertion(name, ScramCredentialInfo(kind, 4096), password.encode())
        self._change_user(name, change)

    def remove_user(self, name: str) -> None:
        self._change_user(name, UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512))

    def allow(self, principal: str, kind: str, name: str, *operations: str, prefixed: bool = False) -> None:
        """`allow("User:bob", "topic", "trades", "write", "describe")`; kinds: topic, transactional_id, broker (the
        cluster, named kafka-cluster), group."""
        acls = [_acl(principal, kind, name, operation, prefixed) for operation in operations]
        for future in self.admin.create_acls(acls).values():
            future.result(10)

    def withdraw(self, principal: str, kind: str = "", name: str | None = None, operation: str = "") -> int:
        """Take rights away again: all of the principal's, or those that fit; how many there were."""
        pattern = AclBindingFilter(
            ResourceType[kind.upper()] if kind else ResourceType.ANY,
            name,
            ResourcePatternType.ANY,
            principal,
            None,
            AclOperation[operation.upper()] if operation else AclOperation.ANY,
            AclPermissionType.ANY,
        )
        deleted = self.admin.delete_acls([pattern])
        return sum(len(future.result(10)) for future in deleted.values())

    def limit(self, name: str, bytes_per_s: int) -> None:
        """A quota of what the user may send. No client of Python's can set one: Kafka's own command does."""
        change = ("--alter", "--add-config", f"producer_byte_rate={bytes_per_s}", "--entity-type", "users")
        tool = ("-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*", "kafka.admin.ConfigCommand")
        where = ("--bootstrap-server", self.bootstrap_servers)
        subprocess.run(["java", *tool, *where, *change, "--entity-name", name], check=True, capture_output=True)

    def _change_user(self, name: str, change: object) -> None:
        self.admin.alter_user_scram_credentials([change])[name].result(10)


def _acl(principal: str, kind: str, name: str, operation: str, prefixed: bool) -> AclBinding:
    return AclBinding(
        ResourceType[kind.upper()],
        name,
        ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL,
        principal,
        "*",
        AclOperation[operation.upper()],
        AclPermissionType.ALLOW,
    )
