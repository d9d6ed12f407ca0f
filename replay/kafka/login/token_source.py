"""Where the tokens of a run come from: a server, a file that something else renews, or AWS.

There is one `Tokens` for all clients of a process that log in alike.
"""

from __future__ import annotations

import threading
import time
from functools import partial

from replay.errors import UsageError, install_extra
from replay.kafka.login import credentials, token_server
from replay.kafka.login.token_server import Asking
from replay.kafka.login.tokens import Token, Tokens, claims_of, end_of, no_end
from replay.kafka.options import KafkaOptions
from replay.kafka.security import OAuth

FILE = "--oauth-token-file"

_CALL_S = 5.0
"""Of one question. A client that is made waits for its token twice as long, and no longer (confluent-kafka)."""

_known: dict[str, Tokens] = {}
_lock = threading.Lock()


def tokens_of(options: KafkaOptions) -> Tokens | None:
    """None where the clients do not log in with tokens that are got here: by another method, or with librdkafka's own
    means (-X sasl.oauthbearer.…). Asks nobody yet."""
    secrets = options.secrets
    if secrets.oauth is None and not secrets.msk_iam:
        return None
    call_s = min(_CALL_S, max(1.0, options.broker_timeout_s / 4))
    asking = None if secrets.oauth is None else Asking(secrets.oauth, call_s, options.settings.get(token_server.CA))
    key = repr((asking, secrets.aws_region, None if asking is not None else options.bootstrap_servers))
    with _lock:
        if key not in _known:
            _known[key] = _made(asking, options, call_s)
        return _known[key]


def _made(asking: Asking | None, options: KafkaOptions, call_s: float) -> Tokens:
    if asking is None:
        try:
            from replay.kafka.login import iam  # noqa: PLC0415 - AWS's library is an extra
        except ImportError as error:
            raise UsageError(
                f"--security msk-iam needs packages that are not installed ({error.name})",
                where="--security",
                todo=install_extra("msk-iam"),
            ) from None
        signer = iam.signer(options.secrets.aws_region, options.bootstrap_servers, call_s)
        return Tokens(signer.token, "AWS")
    if asking.oauth.token_file is not None:
        return Tokens(partial(from_file, asking.oauth), asking.oauth.token_file)
    return Tokens(partial(token_server.ask, asking), f"token server {asking.url}")


def from_file(oauth: OAuth) -> Token:
    """The token that is in the file now. Raises `UsageError` where there is none, it does not say when it ends, or it
    has ended."""
    path = oauth.token_file or ""
    value = credentials.secret(path, FILE).strip()
    claims, now_s = claims_of(value), time.time()
    end_s = end_of(claims)
    if end_s is None:
        raise no_end(path)
    begins_s = claims.get("iat")
    got_s = float(begins_s) if isinstance(begins_s, (int, float)) and begins_s < now_s else now_s
    token = Token(value, got_s, end_s, claims, oauth.extensions)
    if end_s <= now_s:
        raise UsageError(
            f"the token has ended: {token.told(now_s)}",
            where=path,
            todo="see that what renews the file runs; and check the clock of this machine",
        )
    return token
