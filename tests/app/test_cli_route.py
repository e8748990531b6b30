"""Where mail goes, told to the command line: domains for domains, forwards, grants, routes, next hops."""

import pytest

from mailserver.directory import hops, seal
from mailserver.store.store import Store


@pytest.fixture
def example(cli):
    """The command line with example.test, alice and bob in it."""
    assert cli("domain add example.test").status == 0
    for name in ("alice", "bob"):
        assert cli(f"user add {name}@example.test --password-stdin", "correct horse\n").status == 0
    return cli


# -- domains


def test_a_domain_that_stands_for_another(example):
    assert example("domain add brand.test --alias-of Example.TEST").status == 0
    assert example("domain show brand.test --json").json["alias_of"] == "example.test"
    answer = example("user add x@brand.test --password-stdin", "correct horse\n")
    assert answer.err == "brand.test stands for example.test: make the address there\n"
    assert example("alias add x@brand.test alice@example.test").status == 1
    assert example("domain remove example.test").status == 1
    assert example("route find alice@brand.test").out.split("\n")[1].split() == [
        "alice@example.test",
        "here",
        "INBOX",
    ]
    assert example("domain set brand.test --alias-of none").status == 0
    assert example("alias add x@brand.test alice@example.test").status == 0


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("domain add b.test --alias-of nowhere.test", "no domain nowhere.test here"),
        ("domain add b.test --alias-of b.test", "b.test cannot stand for itself"),
        (
            "domain set example.test --alias-of other.test",
            "brand.test stands for example.test, which",
        ),
        ("domain set home.test --alias-of other.test", "home.test has users of its own"),
        ("domain add b.test --alias-of brand.test", "brand.test itself stands for example.test"),
        ("domain set other.test --alias-of backup.test", "backup.test is a backup domain"),
        (
            "domain add b.test --alias-of example.test --backup-mx",
            "b.test cannot both stand for example.test and be a backup domain",
        ),
        ("domain set example.test --backup-mx", "brand.test stands for example.test, which"),
        ("domain set backup.test --subdomains inherit", "backup.test: add each domain that"),
        ("domain add b.test --smarthost hub", "'smtp:hub': expected smtp:HOST:PORT"),
        ("domain set other.test --catch-all x@elsewhere.test", "catch-all x@elsewhere.test: mail"),
        ("domain set other.test --message-size -1", ""),
    ],
)
def test_domains_that_cannot_be(example, command, reason):
    assert example("domain add other.test").status == 0
    assert example("domain add brand.test --alias-of example.test").status == 0
    assert example("domain add backup.test --backup-mx").status == 0
    assert example("domain add home.test").status == 0
    assert example("user add x@home.test --password-stdin", "correct horse\n").status == 0
    answer = example(command)
    assert answer.status in (1, 2)
    assert answer.err.startswith(reason)
    assert example("domain show b.test").status == 1, "nothing of it was made"


def test_domain_settings_of_routing(example):
    line = "domain set example.test --subdomains inherit --smarthost Hub.test:587 --message-size 5M"
    assert example(line).status == 0
    shown = example("domain show example.test --json").json
    assert shown["subdomains"] == "inherit"
    assert shown["smarthost"] == "smtp:hub.test:587"
    assert shown["message_size"] == 5 << 20
    assert "message size    5 MiB" in example("domain show example.test").out
    line = "domain set example.test --subdomains none --smarthost none --message-size none"
    assert example(line).status == 0
    shown = example("domain show example.test --json").json
    assert (shown["subdomains"], shown["smarthost"], shown["message_size"]) == (None, None, None)


# -- users


def test_forwards(example):
    line = "user set alice@example.test --forward Me@home.test --forward bob@example.test --no-keep"
    assert example(line).status == 0
    shown = example("user show alice@example.test --json").json
    assert shown["forward"] == ["me@home.test", "bob@example.test"]
    assert shown["keeps_copy"] is False
    assert example("user set alice@example.test --keep").status == 0
    shown = example("user show alice@example.test --json").json
    assert (len(shown["forward"]), shown["keeps_copy"]) == (2, True)
    found = example("route find alice@example.test --json").json
    assert found == [
        {"address": "alice@example.test", "how": "here", "destination": "INBOX"},
        {"address": "bob@example.test", "how": "here", "destination": "INBOX"},
        {
            "address": "me@home.test",
            "how": "passed on by alice@example.test",
            "destination": "home.test",
        },
    ]
    answer = example("user set bob@example.test --forward alice@example.test")
    assert answer.status == 1
    assert "would lead to itself: bob@example.test -> alice@example.test -> bob" in answer.err
    assert example("user set alice@example.test --forward none").status == 0
    shown = example("user show alice@example.test --json").json
    assert (shown["forward"], shown["keeps_copy"]) == ([], True)


def test_a_forward_to_nobody_is_taken_with_a_warning_and_too_many_are_not(example):
    answer = example("user set alice@example.test --forward nobody@example.test")
    assert (answer.status, answer.err) == (
        0,
        "warning: there is no user or alias nobody@example.test yet\n",
    )
    many = " ".join(f"--forward u{n}@home.test" for n in range(11))
    assert "at most 10 addresses" in example(f"user set alice@example.test {many}").err


def test_what_is_forwarded_to_a_removed_user_is_named(example):
    example("user set bob@example.test --forward alice@example.test")
    example("user set alice@example.test --forward x@home.test --send-as boss@example.test")
    answer = example("user remove alice@example.test --yes")
    assert "forward of bob@example.test" in answer.err + answer.out
    assert example("user remove bob@example.test --yes").status == 0
    assert example("user add bob@example.test --password-stdin", "correct horse\n").status == 0
    assert example("user show bob@example.test --json").json["forward"] == []


def test_grants(example):
    line = "user set alice@example.test --send-as Boss@Example.test --send-as @brand.test"
    assert example(line).status == 0
    shown = example("user show alice@example.test --json").json
    assert shown["send_as"] == ["@brand.test", "boss@example.test"]
    answer = example("user set alice@example.test --send-as @brand.test")
    assert (answer.status, answer.err) == (1, "There is a grant of @brand.test already.\n")
    assert example("user set alice@example.test --no-send-as @brand.test").status == 0
    assert example("user show alice@example.test --json").json["send_as"] == ["boss@example.test"]
    answer = example("user set alice@example.test --no-send-as @brand.test")
    assert (answer.status, answer.err) == (1, "No grant of @brand.test.\n")


# -- routes


def test_routes(example):
    assert example("route add Partner.test smtp:MX.Partner.test:25").out == (
        "route for partner.test added\n"
    )
    for line in (".partner.test lmtp:10.0.0.7:24", "* smtp:hub.test:587", "direct.test mx"):
        assert example(f"route add {line}").status == 0
    assert example("route add never.test reject").status == 0
    assert example("route list").out == (
        "DOMAIN         DESTINATION\n"
        "*              smtp:hub.test:587\n"
        ".partner.test  lmtp:10.0.0.7:24\n"
        "direct.test    mx\n"
        "never.test     reject\n"
        "partner.test   smtp:mx.partner.test:25\n"
    )
    for address, destination in (
        ("x@partner.test", "smtp:mx.partner.test:25"),
        ("x@sub.partner.test", "lmtp:10.0.0.7:24"),
        ("x@direct.test", "direct.test"),
        ("x@any.test", "smtp:hub.test:587"),
        ("x@never.test", "550 5.4.4 <x@never.test>: no mail is sent to this domain from here"),
        ("nobody@example.test", "550 5.1.1 <nobody@example.test>: no such user here"),
    ):
        (way,) = example(f"route find {address} --json").json
        assert way["destination"] == destination
    assert (
        example("route add partner.test mx").err == "There is a route for partner.test already.\n"
    )
    assert example("route remove partner.test --json").json == {"removed": "partner.test"}
    assert example("route remove partner.test").status == 1


def test_smarthosts_depend_on_the_sender(example):
    example("domain set example.test --smarthost ours.test:587")
    (way,) = example("route find x@any.test --from alice@example.test --json").json
    assert way == {"address": "x@any.test", "how": "elsewhere", "destination": "smtp:ours.test:587"}
    (way,) = example("route find x@any.test --json").json
    assert way["destination"] == "any.test"


def test_a_route_for_a_domain_of_ours_is_taken_with_a_warning(example):
    answer = example("route add example.test smtp:x.test:25")
    assert (answer.status, answer.err) == (
        0,
        "warning: example.test is a domain of ours, its mail stays here\n",
    )


@pytest.mark.parametrize("line", ["a_b.test mx", "x.test hub.test:25", "x.test smtp:hub", ". mx"])
def test_routes_that_cannot_be(example, line):
    assert example(f"route add {line}").status == 1


def test_log_in_at_a_next_hop(example, tmp_path):
    answer = example("route login smtp:Hub.test:587 --user us --password-stdin --json", "s3cret\n")
    assert answer.json == {"hop": "smtp:hub.test:587", "tls": "verify", "user": "us"}
    store = Store(tmp_path / "data")
    store.open()
    (hop,) = store.read_now(lambda tx: tx.routes.hops())
    store.close()
    assert b"s3cret" not in hop.password
    assert hops.password_of(hop, seal.load(tmp_path / "data")) == b"s3cret"
    answer = example("route login smtp:x.test:25 --user us --tls may --password-stdin", "s3cret\n")
    assert answer.err == "a password goes over TLS only: say encrypt or verify\n"
    assert example("route login smtp:x.test:25 --tls encrypt --json").json["user"] is None
    assert example("route logins").out == (
        "HOP                TLS      USER\n"
        "smtp:hub.test:587  verify   us\n"
        "smtp:x.test:25     encrypt  -\n"
    )
    assert example("route logout smtp:hub.test:587").status == 0
    assert example("route logout smtp:hub.test:587").status == 1
