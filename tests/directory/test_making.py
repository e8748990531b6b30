"""Domains, accounts and aliases: what can be made, and how refusals read."""

import pytest

from mailserver.base.errors import AlreadyExists, Cannot, LimitReached, MailError, NotFound
from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.store.store import Store
from mailserver.store.tx import Write


@pytest.mark.parametrize(
    ("address", "error", "reason"),
    [
        ("alice@example.test", AlreadyExists, "alice@example.test"),
        ("info@example.test", AlreadyExists, "info@example.test"),
        ("new@elsewhere.test", NotFound, "no domain elsewhere.test here"),
        ("new+x@example.test", Cannot, r'has a "\+", which separates details'),
        ('"new one"@example.test', Cannot, "only be written in quotes"),
        ("new%x@example.test", Cannot, 'has a "%"'),
        ("x/y@example.test", Cannot, 'has a "/"'),
        ("x" * 65 + "@example.test", Cannot, "longer than 64 octets"),
    ],
)
def test_accounts_that_cannot_be(
    store: Store, address: str, error: type[MailError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        store.write_now(lambda tx: accounts.create(tx, parse(address), "hash"))


@pytest.mark.parametrize("name", ["x" * 201, "Bob\r\nBcc: x", "\x1b[31m"])
def test_names_that_cannot_be(store: Store, name: str) -> None:
    with pytest.raises(Cannot, match="a name has"):
        store.write_now(
            lambda tx: accounts.create(tx, parse("new@example.test"), "hash", name=name)
        )


def test_accounts_that_can(store: Store) -> None:
    def make(tx: Write) -> None:
        made = accounts.create(
            tx, parse("Müller@example.test"), "hash", name="Frau Müller", quota=5
        )
        assert (made.address, made.name, made.quota) == ("müller@example.test", "Frau Müller", 5)
        accounts.create(tx, parse("o'neil.x_y-z=1@example.test"), "hash")

    store.write_now(make)


def test_max_accounts(store: Store) -> None:
    store.write_now(lambda tx: domains.change(tx, "other.test", {"max_accounts": 1}))
    with pytest.raises(LimitReached):
        store.write_now(lambda tx: accounts.create(tx, parse("second@other.test"), "hash"))


@pytest.mark.parametrize(
    ("address", "targets", "reason"),
    [
        ("new@example.test", [], "needs a target"),
        ("new@example.test", ["new@example.test"], "new@example.test -> new@example.test"),
        (
            "new@example.test",
            ["back@example.test"],
            "new@example.test -> back@example.test -> new@example.test",
        ),
        ("new@example.test", [f"x{n}@example.test" for n in range(501)], "at most 500"),
        ('"a b"@example.test', ["alice@example.test"], "in quotes"),
    ],
)
def test_aliases_that_cannot_be(
    store: Store, address: str, targets: list[str], reason: str
) -> None:
    domain = store.read_now(lambda tx: tx.domains.by_name("example.test").id)
    store.write_now(lambda tx: tx.aliases.add(domain, "back", ["new@example.test"]))
    with pytest.raises(Cannot, match=reason):
        store.write_now(lambda tx: aliases.create(tx, parse(address), [parse(t) for t in targets]))


def test_aliases_do_not_shadow_accounts(store: Store) -> None:
    with pytest.raises(AlreadyExists):
        store.write_now(
            lambda tx: aliases.create(tx, parse("bob@example.test"), [parse("alice@example.test")])
        )


def test_aliases_may_hold_a_separator_and_lead_elsewhere(store: Store) -> None:
    made = store.write_now(
        lambda tx: aliases.create(
            tx, parse("bob+special@example.test"), [parse("x@elsewhere.test")]
        )
    )
    assert made.targets == ("x@elsewhere.test",)


def test_missing_targets_are_named(store: Store) -> None:
    targets = [
        parse(t)
        for t in (
            "alice@example.test",
            "info@example.test",
            "nope@example.test",
            "x@elsewhere.test",
        )
    ]
    assert store.read_now(lambda tx: aliases.missing(tx, targets)) == [parse("nope@example.test")]


@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({"catch_all": "nope@example.test"}, NotFound, "no such user or alias"),
        ({"catch_all": "x@elsewhere.test"}, Cannot, "stays on this server"),
        ({"separators": "++"}, Cannot, "each once"),
        ({"separators": "."}, Cannot, "separators: some of"),
        ({"quota": -1}, Cannot, "quota must not be negative"),
    ],
)
def test_domains_that_cannot_be(
    store: Store, fields: domains.DomainFields, error: type[MailError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        store.write_now(lambda tx: domains.change(tx, "example.test", fields))
    with pytest.raises(error, match=reason):
        store.write_now(lambda tx: domains.create(tx, "new.test", fields))
    with pytest.raises(NotFound):
        store.read_now(lambda tx: tx.domains.by_name("new.test"))


def test_what_leads_to_an_account_is_known_before_it_goes(store: Store) -> None:
    store.write_now(
        lambda tx: domains.change(tx, "other.test", {"catch_all": "alice@example.test"})
    )
    assert store.read_now(lambda tx: accounts.references(tx, parse("alice@example.test"))) == [
        "alias away@example.test",
        "alias info@example.test",
        "alias team@example.test",
        "catch-all of other.test",
    ]
