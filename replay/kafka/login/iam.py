"""Tokens for Amazon MSK with IAM, made by AWS's own library: a signed request that the broker shows to AWS.

Credentials are those that AWS's tools find: variables, files and profiles, a web identity (AWS_ROLE_ARN with
AWS_WEB_IDENTITY_TOKEN_FILE, as in Kubernetes), the machine's role. They are looked for anew for each token.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from aws_msk_iam_sasl_signer.MSKAuthTokenProvider import generate_auth_token_from_credentials_provider
from botocore.config import Config
from botocore.credentials import CredentialProvider
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from replay.errors import UsageError
from replay.kafka.login.tokens import Away, Token

REGION = "--aws-region"

_OF_NAME = re.compile(r"\.kafka(?:-serverless)?\.([a-z]{2}(?:-[a-z]+)+-\d+)\.amazonaws\.com(?:\.cn)?(?::|,|$)")
_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_LIFE_S = 900.0
_SERVER_ERROR = 500
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "IDPCommunicationError"})


class _Found(CredentialProvider):  # type: ignore[misc]  # botocore has no types
    """Credentials that were found already: the signer takes them from nobody but a provider."""

    METHOD = CANONICAL_NAME = "found"

    def __init__(self, credentials: Any) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Any:
        return self._credentials


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one region. Looking for credentials may take `call_s` for each place that is asked."""

    region: str
    call_s: float

    def token(self) -> Token:
        """A new token, good for 15 minutes. Raises `Away` where AWS cannot be asked for credentials, and `UsageError`
        where there are none, or they are refused."""
        try:
            credentials = self._credentials()
            key = credentials.get_frozen_credentials().access_key
            value, end_ms = generate_auth_token_from_credentials_provider(self.region, _Found(credentials))
        except ClientError as error:
            raise _of_answer(error) from None
        except (ConnectionError, HTTPClientError) as error:
            raise Away(f"credentials cannot be asked for: {_words(error)}") from None
        except (BotoCoreError, ValueError) as error:
            raise UsageError(f"there are no credentials of AWS: {_words(error)}", where="AWS", todo=_HELP) from None
        claims = {"sub": key, "iss": f"signed here for {self.region}", "exp": end_ms / 1_000}
        return Token(value, end_ms / 1_000 - _LIFE_S, end_ms / 1_000, claims)

    def _credentials(self) -> Any:
        session = botocore.session.Session()
        seconds = max(1.0, self.call_s / 2)  # who asks will ask again
        session.set_default_client_config(
            Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1})
        )
        if session.get_config_variable("region") is None:
            session.set_config_variable("region", self.region)
        found = session.get_credentials()
        if found is None:
            raise UsageError("there are no credentials of AWS", where="AWS", todo=_HELP)
        return found


_HELP = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), AWS_PROFILE, or AWS_ROLE_ARN with"
    " AWS_WEB_IDENTITY_TOKEN_FILE; or run where the machine has a role"
)


def signer(region: str | None, bootstrap_servers: str, call_s: float) -> Signer:
    """For the region that is given, that of the brokers' names, or that of the variables. Raises `UsageError` without
    any."""
    return Signer(region or region_of(bootstrap_servers, os.environ) or _unknown_region(), call_s)


def region_of(bootstrap_servers: str, variables: Mapping[str, str]) -> str:
    """As the names of MSK's brokers say, or AWS's variables; empty where neither does."""
    named = _OF_NAME.search(bootstrap_servers)
    return named[1] if named else next((variables[name] for name in _VARIABLES if variables.get(name)), "")


def _unknown_region() -> str:
    raise UsageError(
        "the region is not known: the brokers' names do not say, and neither AWS_REGION nor AWS_DEFAULT_REGION is set",
        where=REGION,
        todo=f"add {REGION} eu-central-1, say",
    )


def _of_answer(error: ClientError) -> Away | UsageError:
    """Of an answer of STS, or of the service that gives credentials."""
    said = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    words = f"{said.get('Code', 'no reason')}: {_words(said.get('Message', ''))}"
    if status >= _SERVER_ERROR or said.get("Code") in _THROTTLED:
        return Away(f"HTTP {status}: {words}")
    return UsageError(
        f"AWS gives no credentials (HTTP {status}): {words}",
        where="AWS",
        todo="check the role's trust policy and its name (AWS_ROLE_ARN), and that the identity has not expired",
    )


def _words(error: object) -> str:
    return " ".join(str(error).split())[:400]
