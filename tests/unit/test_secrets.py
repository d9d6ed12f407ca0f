"""What hides the secrets of this process, and its children's arguments."""

from __future__ import annotations

import base64
import json

import pytest

from replay import secrets
from replay.secrets import HiddenArgument, hidden, remember, shown_arguments


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have remembered is no matter here, and the other way round."""
    monkeypatch.setattr(secrets, "_known", {})


def test_a_secret_is_hidden_as_written_and_as_meant() -> None:
    """Broken: a password that a service repeats in its own encoding stands in the log."""
    remember(['p%3Aa/"ss', "inner-p%3Aa/"])
    for form in ('p%3Aa/"ss', 'p:a/"ss', "p%253Aa%2F%22ss", json.dumps('p%3Aa/"ss')[1:-1]):
        assert hidden(f"before {form} after") == "before *** after"


@pytest.mark.parametrize("before", ["", "m", "me", "me:"])
def test_a_secret_in_base64_is_hidden(before: str) -> None:
    """Broken: a service repeats the header Authorization, and the log has the password for whoever decodes it."""
    remember(["hunter2?>"])
    told = f"{before}hunter2?>".encode()
    for encoded in (base64.b64encode(told), base64.urlsafe_b64encode(told), base64.b64encode(told).rstrip(b"=")):
        assert hidden(f"Basic {encoded.decode()} of order-book_2026/11") == "Basic *** of order-book_2026/11"


def test_the_longest_is_hidden_first() -> None:
    """Broken: of a secret that holds another one, the rest is shown."""
    remember(["hunter2", "me:hunter2:more"])
    assert hidden("x me:hunter2:more y hunter2") == "x *** y ***"


def test_lines_of_a_key_are_hidden_and_its_frame_is_not() -> None:
    """Broken: a line of a PEM key is shown, or every line that says BEGIN is torn."""
    remember(["-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n"])
    assert hidden("at MIIEvQIBADANBg") == "at ***"
    assert "BEGIN" in hidden("-----BEGIN PRIVATE KEY-----")


def test_a_short_value_hides_no_words() -> None:
    """Broken: the password `kafka` takes the word out of every line, and so everybody knows it."""
    remember(["kafka", "", "a\nb"])
    assert hidden("kafka: a line about b") == "kafka: a line about b"


def test_arguments() -> None:
    """Broken: a child's command line shows a secret, or the child gets a mask for a password."""
    secret = HiddenArgument.of("sasl.password=hunter2", "sasl.password=***")
    arguments = ["run", "-X", secret, HiddenArgument.of("acks=all", "acks=all")]
    assert shown_arguments(arguments) == ["run", "-X", "sasl.password=***", "acks=all"]
    assert json.loads(json.dumps(arguments)) == ["run", "-X", "sasl.password=hunter2", "acks=all"]
