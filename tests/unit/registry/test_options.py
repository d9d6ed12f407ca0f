"""Under which subject a schema is, and which settings are refused."""

from __future__ import annotations

import pytest

from replay.errors import UsageError
from replay.registry.options import RegistryOptions, SubjectName, subject
from replay.registry.settings import check, places, shown


@pytest.mark.parametrize(
    ("strategy", "is_key", "expected"),
    [
        (SubjectName.TOPIC, False, "trades-value"),
        (SubjectName.TOPIC, True, "trades-key"),
        (SubjectName.RECORD, False, "com.acme.Trade"),
        (SubjectName.RECORD, True, "com.acme.Trade"),
        (SubjectName.TOPIC_RECORD, False, "trades-com.acme.Trade"),
    ],
)
def test_subjects_are_named_as_others_name_them(strategy, is_key, expected):
    """Broken: consumers and the registry's owner would look in vain. Confluent's own strategies are asked as well."""
    schema_registry = pytest.importorskip("confluent_kafka.schema_registry")
    theirs = {
        SubjectName.TOPIC: schema_registry.topic_subject_name_strategy,
        SubjectName.RECORD: schema_registry.record_subject_name_strategy,
        SubjectName.TOPIC_RECORD: schema_registry.topic_record_subject_name_strategy,
    }
    from confluent_kafka.serialization import MessageField, SerializationContext

    context = SerializationContext("trades", MessageField.KEY if is_key else MessageField.VALUE)
    assert subject(strategy, "trades", "com.acme.Trade", is_key=is_key) == expected

    assert theirs[strategy](context, "com.acme.Trade") == expected


@pytest.mark.parametrize("strategy", [SubjectName.RECORD, SubjectName.TOPIC_RECORD])
def test_a_record_without_a_name_names_no_subject(strategy):
    """Broken: schemas of all topics go under one subject without a name."""
    assert subject(SubjectName.TOPIC, "trades", "", is_key=False) == "trades-value"
    with pytest.raises(UsageError, match="--subject-name"):
        subject(strategy, "trades", "", is_key=False)


def of(*urls: str, **config: str):
    return places(RegistryOptions(urls, {name.replace("_", "."): value for name, value in config.items()}))


def test_urls_are_taken_apart():
    """Broken: a password with special characters would be another one, or be shown."""
    (place,) = of("https://me:p%40ss%3Aw%2Frd@registry.example.com:8081/api/")
    assert place.url == "https://registry.example.com:8081/api"
    assert place.settings["url"] == place.url
    assert place.settings["basic.auth.user.info"] == "me:p@ss:w/rd"
    assert "p@ss" not in repr(place)
    assert [each.url for each in of("http://a:1, http://b:2/", "http://[::1]:3")] == [
        "http://a:1",
        "http://b:2",
        "http://[::1]:3",
    ]
    assert shown("http://me:secret@a:1/x?y=secret") == "http://a:1/x"
    assert "secret" not in shown("http://me:secret@[a")


@pytest.mark.parametrize(
    "url",
    ["registry:8081", "ftp://me:secret@a", "http://", "http://a:port", "http://me:secret@a?x=1", "http://me:secret@[a"],
)
def test_a_url_that_is_none_is_refused_and_not_shown(url):
    """Broken: a mistake in a URL would write its password to the log."""
    with pytest.raises(UsageError, match=r"--registry: .*\n.*https://") as error:
        of(url)
    assert "secret" not in str(error.value)


def test_nothing_is_repeated_or_waited_for_by_the_client_itself():
    """Broken: the client would ask four times with sleeps in between, and wait for ever for each answer."""
    (place,) = of("http://a")
    assert place.settings["max.retries"] == 0
    assert place.settings["timeout"] == place.call_s == 5.0
    (place,) = of("http://a", timeout="90s")
    assert place.settings["timeout"] == place.call_s == 90.0


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"basic.auth.user.inf": "a:b"}, "did you mean basic.auth.user.info?"),
        ({"schema.registry.basic.auth": "x"}, "there is no setting"),
        ({"url": "http://a"}, "use --registry"),
        ({"max.retries": "3"}, "--broker-timeout"),
        ({"timeout": "soon"}, "--registry-config timeout"),
        ({"timeout": "0"}, "out of range"),
        ({"basic.auth.user.info": "me"}, "user:password"),
        ({"basic.auth.user.info": "me:x", "bearer.auth.token": "y"}, "exclude each other"),
        ({"ssl.key.location": "/dev/null"}, "needs ssl.certificate.location"),
        ({"ssl.key.password": "x"}, "needs ssl.certificate.location"),
        ({"ssl.ca.location": "/none/ca.pem"}, "ssl.ca.location: there is no file /none/ca.pem"),
        ({"ssl.certificate.location": "/none/c.pem"}, "ssl.certificate.location: there is no file /none/c.pem"),
        ({"ssl.certificate.location": "/dev/null", "ssl.key.location": "/none/k.pem"}, "there is no file /none/k.pem"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_anything_is_asked(config, said):
    """Broken: a mistyped setting would be ignored, or show up as an outage in the night."""
    for urls in ((), ("http://a",)):
        with pytest.raises(UsageError) as error:
            check(RegistryOptions(urls, config))
        assert said in str(error.value)


def test_credentials_come_from_one_place():
    """Broken: of two passwords one would be sent, and which one is luck."""
    with pytest.raises(UsageError, match="http://a holds a user and a password"):
        of("http://me:secret@a", basic_auth_user_info="me:other")
    with pytest.raises(UsageError, match="without a password"):
        of("http://me@a")
    with pytest.raises(UsageError, match="no URL"):
        of()
    check(RegistryOptions())


def test_what_the_client_wants_as_well_is_implied():
    """Broken: a token alone would not do, as most registries want it."""
    (place,) = of("http://a", bearer_auth_token="x")
    assert place.settings["bearer.auth.credentials.source"] == "STATIC_TOKEN"
    assert place.settings["bearer.auth.logical.cluster"] == ""
    (place,) = of("http://a", bearer_auth_client_id="x", bearer_auth_logical_cluster="lsrc-1")
    assert place.settings["bearer.auth.credentials.source"] == "OAUTHBEARER"
    assert place.settings["bearer.auth.logical.cluster"] == "lsrc-1"


def test_options_show_no_secret():
    """Broken: a debug line or a traceback would show the password."""
    made = RegistryOptions(("http://me:secret@a",), {"basic.auth.user.info": "me:secret"})
    assert "secret" not in repr(made)
