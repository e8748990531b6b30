"""Who gets mail for an address, and who may send as it."""

import pytest

from mailserver.base.errors import Cannot
from mailserver.base.ids import DomainId
from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.directory.resolve import Found, Nobody, Why, home_domain, resolve
from mailserver.directory.senders import grants, may_send_as
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


# -- domains that stand for others, and those below


@pytest.fixture
def wide(store: Store) -> Store:
    """brand.test stands for example.test, which takes its subdomains' mail; backup.test is somebody else's."""

    def more(tx: Write) -> None:
        domains.change(tx, "example.test", {"has_subdomains": True})
        domains.create(tx, "brand.test", {"alias_of": "example.test", "has_subdomains": True})
        domains.create(tx, "own.example.test", {})
        accounts.create(tx, parse("olga@own.example.test"), "hash")
        domains.create(tx, "backup.test", {"is_backup": True})

    store.write_now(more)
    return store


@pytest.mark.parametrize(
    ("address", "result"),
    [
        ("alice@brand.test", ["alice@example.test"]),
        ("alice+x@brand.test", ["alice@example.test"]),
        ("team@brand.test", ["alice@example.test", "bob@example.test"]),
        ("nobody@brand.test", Why.UNKNOWN),
        ("postmaster@brand.test", ["alice@example.test"]),
        ("alice@anything.example.test", ["alice@example.test"]),
        ("alice@deep.below.example.test", ["alice@example.test"]),
        ("alice@any.brand.test", ["alice@example.test"]),
        ("nobody@anything.example.test", Why.UNKNOWN),
        ("olga@own.example.test", ["olga@own.example.test"]),
        ("alice@own.example.test", Why.UNKNOWN),
        ("alice@below.own.example.test", ["alice@example.test"]),
        ("dave@sub.other.test", Why.ELSEWHERE),
        ("alice@notexample.test", Why.ELSEWHERE),
        ("anybody@backup.test", Why.BACKUP),
        ("anybody@sub.backup.test", Why.ELSEWHERE),
        ("postmaster@backup.test", Why.BACKUP),
    ],
)
def test_domains_for_domains(wide: Store, address: str, result: list[str] | Why) -> None:
    assert who(wide, address) == result


def test_either_domain_may_be_switched_off(wide: Store) -> None:
    wide.write_now(lambda tx: domains.change(tx, "brand.test", {"is_active": False}))
    assert who(wide, "alice@brand.test") is Why.INACTIVE
    assert who(wide, "alice@example.test") == ["alice@example.test"]
    wide.write_now(lambda tx: domains.change(tx, "brand.test", {"is_active": True}))
    wide.write_now(lambda tx: domains.change(tx, "example.test", {"is_active": False}))
    assert who(wide, "alice@brand.test") is Why.INACTIVE
    assert who(wide, "alice@x.example.test") is Why.INACTIVE


@pytest.mark.rfc(2142, "3", "4", "5")
def test_role_addresses_are_somebodys(store: Store) -> None:
    for role in (
        "abuse",
        "hostmaster",
        "noc",
        "security",
        "webmaster",
        "dmarc-reports",
        "tls-reports",
        "ABUSE",
    ):
        assert who(store, f"{role}@other.test") == ["dave@other.test"]
        assert who(store, f"{role}@{HOST}") == ["alice@example.test"]
    store.write_now(lambda tx: accounts.create(tx, parse("abuse@other.test"), "hash"))
    assert who(store, "abuse@other.test") == ["abuse@other.test"]
    store.write_now(lambda tx: domains.change(tx, "other.test", {"catch_all": "bob@example.test"}))
    assert who(store, "security@other.test") == ["bob@example.test"]
    assert who(store, "sales@example.test") is Why.UNKNOWN


# -- forwards


def forward(store: Store, name: str, *to: str, keep: bool) -> None:
    def job(tx: Write) -> None:
        account = accounts.at(tx, parse(f"{name}@example.test"))
        tx.forwards.set(account.id, to, keeps_copy=keep)

    store.write_now(job)


def test_forwards(store: Store) -> None:
    forward(store, "alice", "me@elsewhere.test", "bob@example.test", keep=True)
    assert who(store, "alice+x@example.test") == [
        "alice@example.test",
        "bob@example.test",
        "-> me@elsewhere.test",
    ]
    forward(store, "alice", "me@elsewhere.test", keep=False)
    assert who(store, "info@example.test") == ["-> me@elsewhere.test"]
    found = store.read_now(lambda tx: resolve(tx, parse("team@example.test"), HOST))
    assert isinstance(found, Found)
    assert [a.address for a in found.accounts] == ["bob@example.test"]
    assert [a.address for a in found.passing] == ["alice@example.test"]
    (away,) = found.away
    assert (away.by, away.account) == (parse("alice@example.test"), found.passing[0].id)
    forward(store, "alice", keep=False)
    assert who(store, "alice@example.test") == ["alice@example.test"], "nothing is thrown away"


def test_forwards_in_a_circle_stay_where_they_are(store: Store) -> None:
    forward(store, "alice", "bob@example.test", keep=False)
    forward(store, "bob", "alice@example.test", keep=False)
    assert who(store, "alice@example.test") == ["alice@example.test", "bob@example.test"]
    forward(store, "bob", "alice@example.test", "me@elsewhere.test", keep=False)
    assert who(store, "alice@example.test") == ["-> me@elsewhere.test"]


def test_an_account_that_is_off_forwards_nothing(store: Store) -> None:
    forward(store, "carol", "me@elsewhere.test", keep=True)
    assert who(store, "carol@example.test") is Why.DISABLED
    assert who(store, "carols@example.test") is Why.LEADS_NOWHERE


def test_a_forward_gives_nobody_the_right_to_write_as_its_owner(store: Store) -> None:
    forward(store, "alice", "bob@example.test", keep=False)

    def allowed(tx: Read, name: str) -> bool:
        account = accounts.at(tx, parse(f"{name}@example.test")).id
        return may_send_as(tx, account, parse("alice@example.test"), HOST)

    assert store.read_now(lambda tx: allowed(tx, "alice"))
    assert not store.read_now(lambda tx: allowed(tx, "bob"))


# -- grants


@pytest.mark.parametrize(
    ("granted", "address", "is_allowed"),
    [
        ("boss@example.test", "boss@example.test", True),
        ("Boss@Example.test", "BOSS@example.TEST", True),
        ("boss@example.test", "boss+x@example.test", False),
        ("boss@example.test", "bob@example.test", False),
        ("@elsewhere.test", "any.one@elsewhere.test", True),
        ("@elsewhere.test", "any.one@sub.elsewhere.test", False),
        ('"a b"@elsewhere.test', '"a b"@elsewhere.test', True),
    ],
)
def test_grants(store: Store, granted: str, address: str, is_allowed: bool) -> None:
    def job(tx: Write) -> bool:
        alice = accounts.at(tx, parse("alice@example.test")).id
        for one in grants([granted]):
            tx.grants.add(alice, one)
        return may_send_as(tx, alice, parse(address), HOST)

    assert store.write_now(job) is is_allowed


@pytest.mark.parametrize("text", ["", "@", "boss", "@a b"])
def test_grants_that_are_none(text: str) -> None:
    with pytest.raises(Cannot):
        grants([text])
