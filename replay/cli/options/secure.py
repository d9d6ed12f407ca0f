"""How to get into a secured cluster. Passwords, keys and tokens are files: none is an option's value."""

from dataclasses import dataclass

from replay.cli.options.declare import Harmless, where
from replay.kafka.security import Method


@dataclass(frozen=True)
class Secure(Harmless):
    """Each stands for settings of librdkafka, which `-X` can give as well."""

    security: Method | None = where(
        None,
        "How to get in: by TLS, a certificate of this client (mtls), a login over TLS (scram, plain, oauth), or AWS's"
        " rights (msk-iam).",
        otherwise="neither TLS nor login, or what -X says",
        everyday=True,
    )
    ca: str | None = where(
        None,
        "The authority that signs the brokers' certificates (PEM).",
        metavar="FILE",
        otherwise="the system's authorities",
    )
    cert: str | None = where(None, "This client's certificate (PEM).", metavar="FILE")
    cert_key: str | None = where(
        None, "Key of that certificate (PEM).", metavar="FILE", otherwise="the file of --cert holds both"
    )
    cert_key_password_file: str | None = where(None, "File with the password of that key.", metavar="FILE")
    user: str | None = where(None, "User of a login by scram or plain.", metavar="NAME")
    password_file: str | None = where(
        None, "File with that user's password. It is read again for each new connection.", metavar="FILE"
    )
    oauth_token_url: str | None = where(None, "Server that gives tokens (OAuth's token endpoint).", metavar="URL")
    oauth_client_id: str | None = where(None, "Under which name it is asked for them.", metavar="NAME")
    oauth_client_secret_file: str | None = where(None, "File with the secret that belongs to it.", metavar="FILE")
    oauth_scope: str | None = where(None, "What the token is to be for, if the server wants to know.", metavar="SCOPE")
    oauth_audience: str | None = where(
        None, "For whom the token is to be (its aud), if the server wants to know.", metavar="NAME"
    )
    oauth_token_file: str | None = where(
        None, "Instead of a server: a file with a token, which something else renews.", metavar="FILE"
    )
    oauth_extensions: list[str] | None = where(
        None, "What brokers are told with the token, such as logicalCluster=lkc-1. Repeatable.", metavar="KEY=VALUE"
    )
    aws_region: str | None = where(
        None, "With msk-iam: the cluster's region.", metavar="REGION", otherwise="that in the brokers' names"
    )
