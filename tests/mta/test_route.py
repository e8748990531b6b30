"""Routes, their refusals, and how long they are remembered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.ids import AccountId, MailboxId
from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.directory.resolve import Why
from mailserver.mta import srs
from mailserver.mta.deliver import threshold
from mailserver.mta.nexthop import Hops
from mailserver.mta.receive import Transaction
from mailserver.mta.route import (
    NoRoute,
    Remote,
    Route,
    Target,
    elsewhere,
    key,
    refusal,
    returned,
    route,
    shown,
)
from mailserver.mta.routes import FEW, Routes
from mailserver.mta.trace import Client
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.smtp.events import Mail, Recipient
from mailserver.smtp.reply import Reply
from mailserver.store.domains import BLOB_THRESHOLD
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write

ALICE = Address("alice", "example.test")
NOW = 1_800_000_000


def target(
    account: int = 1, quota: int | None = None, used: int = 0, blob_threshold: int = 100
) -> Target:
    return Target(AccountId(account), MailboxId(account), quota, used, blob_threshold)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    def people(tx: Write) -> None:
        domains.create(tx, "example.test", {"quota": 1_000, "blob_threshold": 50})
        domains.create(tx, "other.test", {})
        accounts.create(tx, ALICE, "hash")
        accounts.create(tx, parse("bob@other.test"), "hash")
        aliases.create(tx, parse("team@example.test"), [ALICE, parse("bob@other.test")])

    store = Store(tmp_path)
    store.open()
    store.write_now(people)
    yield store
    store.close()


def test_a_route_knows_inbox_quota_and_threshold(store: Store) -> None:
    found = store.read_now(lambda tx: route(tx, parse("team@example.test"), "mx.example.test", NOW))
    assert isinstance(found, Route)
    inboxes = store.read_now(
        lambda tx: [tx.mailboxes.get(t.account, "INBOX").id for t in found.targets]
    )
    assert [t.mailbox for t in found.targets] == inboxes
    assert [t.quota for t in found.targets] == [1_000, None]
    assert threshold(list(found.targets)) == 50
    assert threshold([]) == BLOB_THRESHOLD


def test_no_route(store: Store) -> None:
    found = store.read_now(lambda tx: route(tx, parse("x@example.test"), "mx.example.test", NOW))
    assert found == NoRoute(Why.UNKNOWN)


@pytest.mark.rfc(3463, "3.2", "3.3", "3.5", "3.8")
def test_every_reason_has_a_refusal(golden: Callable[[str, str], None]) -> None:
    lines = [f"{why.name:15} {refusal(ALICE, NoRoute(why))}\n" for why in Why]
    golden("mta_refusals.txt", "".join(lines))


@given(st.text(max_size=600), st.text(max_size=20))
def test_addresses_in_replies_are_short_and_plain(localpart: str, domain: str) -> None:
    text = shown(Address(localpart, domain))
    assert text.isascii()
    assert len(text) <= 255


def test_keys_are_one_spelling() -> None:
    local = "[192.0.2.1]"
    assert key(Address("Alice", "example.test"), local) == ALICE
    assert key(Address("Alice", local), local) == Address("alice", "")
    assert key(Address("Postmaster", ""), local) == Address("postmaster", "")
    assert key(Address("Alice", "[192.0.2.2]"), local) == Address("alice", "[192.0.2.2]")
    assert key(Address("Alice", "example.test"), "") == ALICE


def transaction() -> Transaction:
    return Transaction("id", Client(""), Mail(None, None, None, False), None)


def test_everybody_gets_it_once() -> None:
    one, two, message = target(1), target(2), transaction()
    for found in (Route((one,)), Route((one, two)), Route((two,))):
        assert message.add_recipient(Recipient(ALICE), found, 100)
    assert message.targets() == [one, two]
    assert len(message.recipients) == 3


def test_a_message_is_not_filed_for_more_accounts_than_is_good_for_others() -> None:
    message = transaction()
    assert message.add_recipient(Recipient(ALICE), Route(tuple(target(n) for n in range(10))), 5)
    assert not message.add_recipient(Recipient(ALICE), Route((target(11),)), 5)
    assert message.add_recipient(Recipient(ALICE), Route((target(9),)), 10)
    assert len(message.targets()) == 10
    assert len(message.recipients) == 2


@pytest.mark.rfc(2033, "4.2")
@pytest.mark.rfc(3461, "5.2.2")
def test_success_is_not_told_of_who_was_left_out() -> None:
    mail = Mail(ALICE, None, None, False)
    message = Transaction("id", Client(""), mail, None)
    for name, account in (("a", 1), ("b", 2)):
        to = Recipient(Address(name, "example.test"), "SUCCESS")
        assert message.add_recipient(to, Route((target(account),)), 100)
    full = Reply(452, "4.2.2", "full")
    assert message.leave_out(lambda to, _: full if to.address.localpart == "b" else None)
    ((_, told),) = message.news()
    assert [one.address for one in told] == ["a@example.test"]


# -- the memory of routes


def test_remembered_for_a_while() -> None:
    routes = Routes(ttl_s=60)
    routes.put(ALICE, Route((target(),)), 100.0, routes.epoch)
    assert routes.get(ALICE, 159.0) == Route((target(),))
    assert routes.get(ALICE, 160.0) is None
    assert routes.get(Address("bob", "example.test"), 100.0) is None


def test_forgotten_with_the_directory_even_while_looking_it_up() -> None:
    routes = Routes()
    epoch = routes.epoch
    routes.put(ALICE, NoRoute(Why.UNKNOWN), 0.0, epoch)
    routes.put_owned(AccountId(1), ALICE, True, epoch)
    routes.clear()
    assert routes.get(ALICE, 0.0) is None
    assert routes.may_send_as(AccountId(1), ALICE) is None
    routes.put(ALICE, NoRoute(Why.UNKNOWN), 0.0, epoch)
    routes.put_owned(AccountId(1), ALICE, True, epoch)
    assert routes.get(ALICE, 0.0) is None
    assert routes.may_send_as(AccountId(1), ALICE) is None


def test_bounded() -> None:
    routes = Routes(size=3)
    for n in range(10):
        routes.put(Address(str(n), "x"), NoRoute(Why.UNKNOWN), 0.0, routes.epoch)
        routes.put_owned(AccountId(n), ALICE, False, routes.epoch)
        routes.was_full(AccountId(n), 1)
    assert [n for n in range(10) if routes.get(Address(str(n), "x"), 0.0)] == [7, 8, 9]
    assert len(routes._owned) == len(routes._tight) == 3


def test_what_may_leave_is_remembered_by_the_senders_domain() -> None:
    routes = Routes(ttl_s=60, size=2)
    routes.put_leaving(ALICE, "a.test", 100.0, routes.epoch)
    assert routes.may_leave(ALICE, "a.test", 159.0)
    assert not routes.may_leave(ALICE, "a.test", 160.0)
    assert not routes.may_leave(ALICE, "b.test", 100.0)
    for domain in ("b.test", "c.test"):
        routes.put_leaving(ALICE, domain, 100.0, routes.epoch)
    assert not routes.may_leave(ALICE, "a.test", 100.0)
    epoch = routes.epoch
    routes.clear()
    routes.put_leaving(ALICE, "c.test", 100.0, epoch)
    assert not routes.may_leave(ALICE, "c.test", 100.0)


def test_nearly_full_mailboxes_are_looked_at_each_time() -> None:
    routes = Routes()
    routes.put(ALICE, Route((target(quota=1_000, used=901),)), 0.0, routes.epoch)
    assert routes.get(ALICE, 0.0) is None
    routes.put(ALICE, Route((target(quota=1_000, used=900),)), 0.0, routes.epoch)
    assert routes.get(ALICE, 0.0) is not None


@pytest.mark.parametrize(
    ("quota", "used", "size", "has_room"),
    [
        (None, 10**12, 10**9, True),
        (1_000, 0, 1_000, True),
        (1_000, 0, 1_001, False),
        (1_000, 999, 0, True),
        (1_000, 1_000, 0, False),
        (0, 0, 0, False),
    ],
)
def test_room(quota: int | None, used: int, size: int, has_room: bool) -> None:
    found = Route((target(1), target(2, quota=quota, used=used)))
    assert Routes().has_room(found, size) is has_room


def test_the_number_of_messages_bounds_too() -> None:
    """Who may have no message more is full, whatever his octets; who may have few more is looked at each time."""

    def left(messages: int | None) -> Route:
        return Route((target(quota=1_000)._replace(messages_left=messages),))

    routes = Routes()
    assert [routes.has_room(left(n), 1) for n in (None, 1, 0, -5)] == [True, True, False, False]
    for few, is_looked_up in ((FEW - 1, True), (FEW, False), (None, False)):
        routes.put(ALICE, left(few), 0.0, routes.epoch)
        assert (routes.get(ALICE, 0.0) is None) is is_looked_up


def test_what_did_not_fit_is_remembered_until_it_would() -> None:
    routes = Routes()
    tight = Route((target(quota=1_000, used=500),))
    routes.put(ALICE, tight, 0.0, routes.epoch)
    routes.was_full(AccountId(1), 700)
    routes.was_full(AccountId(1), 800)
    assert routes.get(ALICE, 0.0) is None, "a refusal rests on a fresh look"
    assert not routes.has_room(tight, 0)
    assert routes.has_room(Route((target(quota=1_000, used=300),)), 0)
    assert routes.has_room(tight, 0), "there was room in between"


# -- to other servers


@pytest.fixture
def sending(store: Store) -> Store:
    """alice forwards and keeps nothing; both@ leads to bob and elsewhere; brand.test is a backup domain."""

    def job(tx: Write) -> None:
        alice = accounts.at(tx, ALICE)
        aliases.forward(tx, alice, [parse("me@elsewhere.test")], keeps_copy=False)
        to = [parse("bob@other.test"), parse("x@elsewhere.test")]
        aliases.create(tx, parse("both@example.test"), to)
        aliases.create(tx, parse("away@example.test"), [parse("x@elsewhere.test")])
        domains.create(tx, "brand.test", {"is_backup": True})

    store.write_now(job)
    return store


def suppress(store: Store, address: str) -> None:
    store.write_now(lambda tx: tx.suppressions.add(address, "5.1.1", "550 no such user", None))


def ends(store: Store, address: str) -> tuple[int, int, list[str], list[str | None]] | NoRoute:
    found = store.read_now(lambda tx: route(tx, parse(address), "mx.example.test", NOW))
    if isinstance(found, NoRoute):
        return found
    return (
        len(found.targets),
        len(found.passing),
        [str(remote.address) for remote in found.remotes],
        [remote.notices_to for remote in found.remotes],
    )


def test_who_hears_of_failures_of_what_is_passed_on(sending: Store) -> None:
    assert ends(sending, "alice@example.test") == (
        0,
        1,
        ["me@elsewhere.test"],
        ["alice@example.test"],
    )
    assert ends(sending, "both@example.test") == (
        1,
        0,
        ["x@elsewhere.test"],
        ["postmaster@example.test"],
    )
    assert ends(sending, "any@brand.test") == NoRoute(Why.BACKUP)


def test_nothing_is_passed_on_to_where_nobody_is(sending: Store) -> None:
    for address in ("me@elsewhere.test", "x@elsewhere.test"):
        suppress(sending, address)
    assert ends(sending, "alice@example.test") == (1, 0, [], []), "she keeps her copy then"
    assert ends(sending, "both@example.test") == (1, 0, [], [])
    found = ends(sending, "away@example.test")
    assert isinstance(found, NoRoute)
    assert str(refusal(parse("away@example.test"), found)) == (
        "550 5.1.1 <away@example.test>: nothing is sent to the address that its mail is passed on to"
    )


def test_nothing_is_passed_on_to_where_a_route_rejects(sending: Store) -> None:
    sending.write_now(lambda tx: tx.routes.add("elsewhere.test", "reject"))
    assert ends(sending, "alice@example.test") == (1, 0, [], [])
    assert ends(sending, "both@example.test") == (1, 0, [], [])
    assert isinstance(ends(sending, "away@example.test"), NoRoute)


def test_users_hear_why_nothing_is_sent_there(sending: Store) -> None:
    suppress(sending, "X@elsewhere.test")

    def ask(address: str, table: Hops | None = None) -> Route | NoRoute:
        to = parse(address)
        return sending.read_now(lambda tx: elsewhere(tx, to, ALICE, table or Hops(), NOW))

    found = ask("x@ELSEWHERE.test")
    assert isinstance(found, NoRoute)
    said = str(refusal(ALICE, found))
    assert said.startswith("550 5.1.1 <alice@example.test>: its server said on 20")
    assert "(550 no such user)" in said
    assert "mailserver suppression remove" in said
    sending.write_now(lambda tx: tx.suppressions.remove("x@elsewhere.test"))
    assert ask("x@elsewhere.test") == Route((), (Remote(parse("x@elsewhere.test")),))
    closed = Hops(routes={"elsewhere.test": "reject"})
    assert ask("x@elsewhere.test", closed) == NoRoute(Why.REJECTED)


def test_bounces_find_their_way_back(sending: Store) -> None:
    def job(tx: Read, address: Address, sender: Address | None) -> Route | NoRoute | None:
        return returned(tx, address, sender, "mx.example.test", NOW)

    def ask(address: Address, sender: Address | None = None) -> Route | NoRoute | None:
        return sending.read_now(lambda tx: job(tx, address, sender))

    key = sending.read_now(lambda tx: tx.routes.secret("srs"))
    a = parse_mailbox("Anna@b.example")
    once = srs.rewrite(a, "example.test", key, NOW).address
    assert ask(once) == Route((), (Remote(a, notices_to=""),))
    assert ask(once, a) == NoRoute(Why.BOUNCES_ONLY)
    assert ask(once._replace(domain="elsewhere.test")) is None
    twice = srs.rewrite(once, "example.test", key, NOW).address
    assert ask(twice) == Route((), (Remote(a, notices_to=""),))
    ours = srs.rewrite(parse_mailbox("bob@other.test"), "example.test", key, NOW).address
    back = ask(ours)
    assert isinstance(back, Route)
    assert len(back.targets) == 1
    forged = once._replace(localpart=once.localpart.replace("b.example", "c.example"))
    found = ask(forged)
    assert isinstance(found, NoRoute)
    assert str(refusal(forged, found)).endswith(": no sender of ours: it was not made here")
    gone = srs.rewrite(parse_mailbox("gone@example.test"), "example.test", key, NOW).address
    assert ask(gone) == NoRoute(Why.UNKNOWN)
