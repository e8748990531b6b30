"""Who gets mail for an address, and who may send as it."""

import pytest

from mailserver.base.ids import DomainId
from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.directory.resolve import Found, Nobody, Why, home_domain, resolve
from mailserver.directory.senders import may_send_as
from mailserver.smtp.address import Address
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write

HOST = "mail.example.test"


def who(store: Store, address: str | Address, hostname: str = HOST) -> list[str] | Why:
    at = parse(address) if isinstance(address, str) else address
    found = store.read_now(lambda tx: resolve(tx, at, hostname))
    if isinstance(found, Nobody):
        return found.why
    return [account.address for account in found.accounts] + [
        f"-> {away.address}" for away in found.away
    ]


@pytest.mark.parametrize(
    ("address", "result"),
    [
        ("alice@example.test", ["alice@example.test"]),
        ("ALICE@Example.Test", ["alice@example.test"]),
        ("alice+news@example.test", ["alice@example.test"]),
        ("alice+@example.test", ["alice@example.test"]),
        ("info@example.test", ["alice@example.test"]),
        ("info+x@example.test", ["alice@example.test"]),
        ("detail@example.test", ["alice@example.test"]),
        ("team@example.test", ["alice@example.test", "bob@example.test"]),
        ("all@other.test", ["alice@example.test", "bob@example.test", "dave@other.test"]),
        ("nobody@example.test", Why.UNKNOWN),
        ("nobody+alice@example.test", Why.UNKNOWN),
        ("+alice@example.test", Why.UNKNOWN),
        ("carol@example.test", Why.DISABLED),
        ("carols@example.test", Why.LEADS_NOWHERE),
        ("away@example.test", ["alice@example.test", "-> friend@elsewhere.test"]),
        ("eve@off.test", Why.INACTIVE),
        ("alice@elsewhere.test", Why.ELSEWHERE),
        ("alice@[192.0.2.1]", Why.ELSEWHERE),
        ("alice%elsewhere.test@example.test", Why.ROUTED),
        ('"alice@elsewhere.test"@example.test', Why.ROUTED),
        ("elsewhere.test!alice@example.test", Why.ROUTED),
    ],
)
def test_recipients(store: Store, address: str, result: list[str] | Why) -> None:
    assert who(store, address) == result


def test_catch_all(store: Store) -> None:
    store.write_now(
        lambda tx: domains.change(tx, "example.test", {"catch_all": "bob@example.test"})
    )
    assert who(store, "anything@example.test") == ["bob@example.test"]
    assert who(store, "alice@example.test") == ["alice@example.test"]
    assert who(store, "carol@example.test") is Why.DISABLED
    assert who(store, "a%b@example.test") is Why.ROUTED
    assert who(store, "anything@other.test") is Why.UNKNOWN


def test_catch_all_may_be_an_alias(store: Store) -> None:
    store.write_now(lambda tx: domains.change(tx, "other.test", {"catch_all": "team@example.test"}))
    assert who(store, "x@other.test") == ["alice@example.test", "bob@example.test"]


@pytest.mark.rfc(5321, "4.5.1")
def test_postmaster_is_always_somebody(store: Store) -> None:
    for spelling in (
        "postmaster@example.test",
        "PostMaster@example.test",
        "postmaster+x@example.test",
    ):
        if "+" in spelling:
            assert who(store, spelling) is Why.UNKNOWN
        else:
            assert who(store, spelling) == ["alice@example.test"]
    assert who(store, "postmaster@other.test") == ["dave@other.test"]
    assert who(store, Address("Postmaster", "")) == ["alice@example.test"]
    assert who(store, f"postmaster@{HOST}") == ["alice@example.test"]
    assert who(store, f"alice@{HOST}") is Why.UNKNOWN
    assert who(store, "postmaster@elsewhere.test") is Why.ELSEWHERE
    assert who(store, "postmaster@off.test") is Why.INACTIVE


@pytest.mark.rfc(5321, "4.5.1")
def test_who_stands_in_for_postmaster(store: Store) -> None:
    store.write_now(lambda tx: domains.create(tx, "empty.test", {}).id)
    assert who(store, "postmaster@empty.test") == ["alice@example.test"]
    store.write_now(lambda tx: domains.change(tx, "empty.test", {"catch_all": "dave@other.test"}))
    assert who(store, "postmaster@empty.test") == ["dave@other.test"]
    store.write_now(lambda tx: tx.settings.set("postmaster", "bob@example.test"))
    assert who(store, "postmaster@empty.test") == ["bob@example.test"]
    assert who(store, "postmaster@example.test") == ["bob@example.test"]
    store.write_now(lambda tx: tx.settings.set("postmaster", "gone@example.test"))
    assert who(store, "postmaster@example.test") == ["alice@example.test"]

    def alias(tx: Write) -> None:
        aliases.create(tx, parse("postmaster@example.test"), [parse("dave@other.test")])

    store.write_now(alias)
    assert who(store, "postmaster@example.test") == ["dave@other.test"]
    dave = store.read_now(lambda tx: accounts.at(tx, parse("dave@other.test")))
    store.write_now(lambda tx: tx.accounts.set(dave.id, is_active=False))
    assert who(store, "postmaster@example.test") == ["alice@example.test"]


def test_a_circle_leads_nowhere(store: Store) -> None:
    def circle(tx: Write) -> None:
        domain = tx.domains.by_name("example.test").id
        tx.aliases.add(domain, "a", ["b@example.test"])
        tx.aliases.add(domain, "b", ["a@example.test"])

    store.write_now(circle)
    assert who(store, "a@example.test") is Why.LEADS_NOWHERE


def test_a_very_long_chain_ends(store: Store) -> None:
    def chain(tx: Write) -> None:
        domain = tx.domains.by_name("example.test").id
        for n in range(1_200):
            tx.aliases.add(domain, f"c{n}", [f"c{n + 1}@example.test"])
        tx.aliases.add(domain, "c1200", ["alice@example.test"])

    store.write_now(chain)
    assert who(store, "c0@example.test") is Why.LEADS_NOWHERE
    assert who(store, "c900@example.test") == ["alice@example.test"]


@pytest.mark.parametrize(
    ("hostname", "home"),
    [
        ("example.test", "example.test"),
        ("mail.other.test", "other.test"),
        ("a.b.other.test", "other.test"),
        ("mail.elsewhere.test", "example.test"),
        ("mail.off.test", "example.test"),
    ],
)
def test_home_domain(store: Store, hostname: str, home: str) -> None:
    assert store.read_now(lambda tx: home_domain(tx, hostname)) == home


def test_an_empty_server_is_nobodys_home(tmp_path) -> None:
    store = Store(tmp_path / "empty")
    store.open()
    assert store.read_now(lambda tx: home_domain(tx, HOST)) == ""
    assert who(store, Address("postmaster", "")) is Why.ELSEWHERE
    store.close()


@pytest.mark.rfc(6409, "6.1")
@pytest.mark.parametrize(
    ("address", "by"),
    [
        ("alice@example.test", {"alice"}),
        ("Alice+shop@example.test", {"alice"}),
        ("info@example.test", {"alice"}),
        ("team@example.test", {"alice", "bob", "carol"}),
        ("away@example.test", {"alice"}),
        ("all@other.test", {"alice", "bob", "carol", "dave"}),
        ("nobody@example.test", set()),
        ("postmaster@example.test", set()),
        ("someone@elsewhere.test", set()),
    ],
)
def test_who_may_send_as(store: Store, address: str, by: set[str]) -> None:
    def allowed(tx: Read) -> set[str]:
        return {
            account.localpart
            for account in tx.accounts.list()
            if may_send_as(tx, account.id, parse(address), HOST)
        }

    assert store.read_now(allowed) == by


def test_catch_all_may_send_as_anybody_who_is_nobody(store: Store) -> None:
    store.write_now(
        lambda tx: domains.change(tx, "example.test", {"catch_all": "bob@example.test"})
    )

    def allowed(tx: Read, address: str) -> bool:
        return may_send_as(tx, accounts.at(tx, parse("bob@example.test")).id, parse(address), HOST)

    assert store.read_now(lambda tx: allowed(tx, "anything@example.test"))
    assert not store.read_now(lambda tx: allowed(tx, "alice@example.test"))
    assert not store.read_now(lambda tx: allowed(tx, "carol@example.test"))


def test_the_oldest_account_that_is_on_stands_in(store: Store) -> None:
    def off(tx: Write) -> None:
        for account in tx.accounts.list(DomainId(1)):
            tx.accounts.set(account.id, is_active=False)

    store.write_now(off)
    assert who(store, "postmaster@example.test") == ["dave@other.test"]


def test_found_is_a_value() -> None:
    assert Found(()) == Found(())
