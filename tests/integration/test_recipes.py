"""The recipes for secured clusters in cron/README.md: each is run as it stands, with files and names of the test's.

That of OAuth is run where its tokens come from (test_oauth.py). Amazon's brokers are not here: theirs is run up to the
login, which this broker refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.called import Called
from tests.support.recipes import recipe, recipes
from tests.support.scenario import make_trades
from tests.support.secured import ALICE, ALICES_PASSWORD
from tests.support.topics import create_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.secured import SecuredKafka

ROWS = 200
MORE = {"scram with SHA-256": '"sasl.mechanism" = "SCRAM-SHA-256"'}
LISTENERS = {"tls": "TLS", "mtls": "MTLS", "scram": "SASL", "scram with SHA-256": "SASL", "plain": "SASL"}


def prepared(secured: SecuredKafka, method: str, topic: str, folder: Path) -> dict[str, str]:
    """The values that a recipe's keys have here; who is named by them exists, and may do what a replay does."""
    ca, password = str(secured.authority.certificate), folder / "password"
    password.write_text(ALICES_PASSWORD)
    password.chmod(0o600)
    if method == "tls":
        return {"ca": ca}
    if method == "mtls":
        mine = secured.authority.issue(ALICE)
        return {"ca": ca, "cert": str(mine.certificate), "cert-key": str(mine.key)}
    if method == "plain":
        return {"user": ALICE, "password-file": str(password)}
    secured.add_user(topic, ALICES_PASSWORD, "SCRAM-SHA-256" if "256" in method else "SCRAM-SHA-512")
    secured.allow(f"User:{topic}", "topic", topic, "write", "describe", "read")
    return {"ca": ca, "user": topic, "password-file": str(password)}


@pytest.mark.parametrize("method", LISTENERS)
def test_a_recipe_gets_in_and_sends(secured: SecuredKafka, topic: str, tmp_path: Path, method: str) -> None:
    """Broken: what is copied from the page is refused, or does not get in."""
    create_topic(secured.bootstrap_servers, topic, 2, 1, {"retention.ms": "-1"})
    values, servers = prepared(secured, method, topic, tmp_path), secured.address(LISTENERS[method])
    more = [MORE[method]] if method in MORE else []
    if method == "plain":  # it counts on the system's authorities, who have not signed for this broker
        more.append(f'"ssl.ca.location" = "{secured.authority.certificate}"')
    file = tmp_path / "job.toml"
    file.write_text(recipe(method.split(maxsplit=1)[0], values, servers, *more))
    trades = make_trades(tmp_path / "in", ROWS)
    replay = Called(servers, topic, trades.folder, tmp_path / "checkpoint.json", ("--config", str(file)))
    outcome = replay.run("--verify", "--broker-timeout", "20s")
    assert f"{ROWS} in topic" in outcome.out
    assert ALICES_PASSWORD not in outcome.out + outcome.err


def test_the_recipe_of_amazon_gets_as_far_as_the_login(
    secured: SecuredKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: what is copied from the page signs no token, or does not send it to the broker."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ALICES_PASSWORD)
    authority = f'"ssl.ca.location" = "{secured.authority.certificate}"'
    file = tmp_path / "job.toml"
    file.write_text(recipe("msk-iam", {}, secured.address("SASL"), authority))
    trades = make_trades(tmp_path / "in", ROWS)
    replay = Called(
        secured.address("SASL"), topic, trades.folder, tmp_path / "checkpoint.json", ("--config", str(file))
    )
    outcome = replay.run("--broker-timeout", "20s", code=2)
    assert "refuses the login" in outcome.err
    assert "OAUTHBEARER" in outcome.err
    assert ALICES_PASSWORD not in outcome.out + outcome.err


def test_there_is_a_recipe_for_each_way_in() -> None:
    """Broken: a way in has no recipe, or a recipe is not run by any test."""
    ways = [text.partition('security = "')[2].partition('"')[0] for text in recipes()]
    assert sorted(ways) == ["msk-iam", "mtls", "oauth", "plain", "scram", "tls"]
