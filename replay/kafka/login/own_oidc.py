"""What librdkafka says where it gets tokens by itself (-X sasl.oauthbearer.method=oidc): an outage, or a refusal?

It tells both with the code of a login that is refused. What follows its prefix is curl's error, the body of an answer
whatever its status, or its own finding about a token (rdkafka_sasl_oauthbearer_oidc.c, rdhttp.c). Pure.
"""

from __future__ import annotations

import re

_PREFIX = "Failed to acquire SASL OAUTHBEARER token: "
_REFUSED = re.compile(
    r'^Expected |^Failed to (?:parse|decode) |^Response is not JSON|^Must supply |"error"\s*:'  # what an answer was
    r"|^error (?:adding|setting) |certificate|^SSL:|^URL |^Unsupported protocol|^Protocol "
    r"|sasl\.oauthbearer\.config"  # what makes unsecured tokens cannot be read
)
_PASSING = re.compile(r'"error"\s*:\s*"(?:server_error|temporarily_unavailable|slow_down)"')
_WORDS_MAX = 400


def token_outage(error: str) -> str:
    """Why there is no token for now; empty for an error that is no such outage. A body that is no OAuth 2.0 error
    (RFC 6749, 5.2) is that of something in between, such as a proxy whose server is down."""
    if not error.startswith(_PREFIX):
        return ""
    said = " ".join(error.removeprefix(_PREFIX).split())[:_WORDS_MAX]
    if _REFUSED.search(said) and not _PASSING.search(said):
        return ""
    return f"no token: {said}"
