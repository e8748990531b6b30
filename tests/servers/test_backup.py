"""Backup domains: what is asked, what is remembered, and what strangers hear."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from mailserver.base.limits import CalloutLimits
from mailserver.directory import domains
from mailserver.directory.addresses import parse
from mailserver.directory.resolve import Why
from mailserver.mta.route import NoRoute, Remote, Route
from mailserver.net.callout import Verdict
from mailserver.servers.backup import Backup
from mailserver.smtp.reply import Reply
from mailserver.store.store import Store, StoreOptions
from mailserver.store.tx import Read, Write
from servers.site import Site, greeted, send, submit
from servers.test_smtp_leaving import MINE, queued

T = TypeVar("T")
DAY = 86_400
START = 1_800_000_000

YES = Verdict(True, Reply(250, "2.1.5", "OK"))
NO = Verdict(False, Reply(550, "5.1.1", "No such user"))
DOWN = Verdict(None, Reply(450, "4.4.1", "connection refused"))


class Primary:
    """Says what it is told to, and counts."""

    def __init__(self, said: Verdict) -> None:
        self.said = said
        self.asked: list[tuple[str, str]] = []

    async def ask(self, address: str, domain: str) -> Verdict:
        self.asked.append((address, domain))
        return self.said


class Direct:
    """Work without threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, job: Callable[[Read], T]) -> T:
        return self._store.read_now(job)

    async def write(self, job: Callable[[Write], T], *, is_pure: bool = False) -> T:
        return self._store.write_now(job)


class Desk:
    """A backup, its primary and a clock."""

    def __init__(self, store: Store, primary: Primary) -> None:
        self.now = float(START)
        self.primary = primary
        work = Direct(store)
        self.backup = Backup(work, primary, CalloutLimits(), "mail.example.test")  # type: ignore[arg-type]  # a fake

    def route(self, address: str = "Ann@backup.test") -> Route | NoRoute:
        return asyncio.run(self.backup.route(parse(address), self.now))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    holder: list[Desk] = []
    store = Store(tmp_path, options=StoreOptions(clock=lambda: holder[0].now if holder else START))
    store.open()
    holder.append(Desk(store, Primary(YES)))
    yield holder[0]
    store.close()


def is_taken(found: Route | NoRoute) -> bool:
    return isinstance(found, Route)


@pytest.mark.rfc(5321, "3.6.1", "6.2")
def test_who_is_known_is_believed_for_a_week(desk: Desk) -> None:
    found = desk.route()
    to = parse("ann@backup.test")
    assert found == Route((), (Remote(to, notices_to="postmaster@mail.example.test"),))
    desk.primary.said = NO
    desk.now += 7 * DAY - 1
    assert is_taken(desk.route("ANN@backup.test"))
    assert len(desk.primary.asked) == 1
    desk.now += 2
    assert not is_taken(desk.route())
    assert len(desk.primary.asked) == 2


def test_who_is_unknown_is_refused_for_two_hours(desk: Desk) -> None:
    desk.primary.said = NO
    said = "no such user, its server says: 550 5.1.1 No such user"
    assert desk.route() == NoRoute(Why.UNKNOWN, said)
    desk.primary.said = YES
    desk.now += 7_199
    assert not is_taken(desk.route())
    desk.now += 2
    assert is_taken(desk.route())


def test_while_the_primary_is_down_only_who_is_known_gets_mail(desk: Desk) -> None:
    assert is_taken(desk.route())
    desk.primary.said = DOWN
    desk.now += 30 * DAY
    assert is_taken(desk.route())
    found = desk.route("bob@backup.test")
    assert isinstance(found, NoRoute)
    assert found.why is Why.BACKUP
    assert "(450 4.4.1 connection refused)" in found.detail
    desk.now += 2 * DAY
    assert not is_taken(desk.route()), "after a month nobody remembers"


def test_nobody_is_asked_again_at_once(desk: Desk) -> None:
    desk.primary.said = DOWN
    for _ in range(3):
        assert not is_taken(desk.route())
    assert len(desk.primary.asked) == 1
    desk.now += 61
    desk.primary.said = YES
    assert is_taken(desk.route())


def test_trouble_does_not_make_the_known_unknown(desk: Desk) -> None:
    assert is_taken(desk.route())
    desk.now += 8 * DAY
    desk.primary.said = DOWN
    assert is_taken(desk.route())
    desk.now += 1
    assert is_taken(desk.route())
    assert len(desk.primary.asked) == 2, "not while nobody is to be asked"


# -- on the wire


@pytest.fixture
def backed(site: Site) -> tuple[Site, Primary]:
    """The server as the backup of backup.test."""
    primary = Primary(YES)
    object.__setattr__(site.context, "primaries", primary)  # before its first connection
    site.store.write_now(lambda tx: domains.create(tx, "backup.test", {"is_backup": True}))
    return site, primary


@pytest.mark.rfc(5321, "3.6.1")
def test_mail_for_a_backup_domain_waits_for_its_primary(backed: tuple[Site, Primary]) -> None:
    site, primary = backed
    with greeted(site) as wire:
        assert send(wire, "Ann@backup.test").startswith("250 2.0.0")
    ((destination, claimed, data),) = queued(site)
    assert destination == "backup.test"
    new, (to,) = claimed.queued, claimed.recipients
    assert to.address == "Ann@backup.test"
    assert new.sender == "a@elsewhere.test", "the primary knows us: the sender stays"
    assert new.notices_to == "postmaster@mail.example.test"
    assert data.startswith(b"Received: ")
    assert primary.asked == [("Ann@backup.test", "backup.test")]


def test_strangers_hear_what_the_primary_says(backed: tuple[Site, Primary]) -> None:
    site, primary = backed
    with greeted(site) as wire:
        primary.said = NO
        reply = send(wire, "x@backup.test")
        assert (
            reply
            == "550 5.1.1 <x@backup.test>: no such user, its server says: 550 5.1.1 No such user"
        )
        wire.ask(b"RSET\r\n")
        primary.said = DOWN
        assert send(wire, "y@backup.test").startswith("450 4.4.3 <y@backup.test>: its primary")
        wire.ask(b"RSET\r\n")
        assert send(wire, "x@other.backup.test").startswith("550 5.7.1")
    assert queued(site) == []


def test_users_need_no_answer(backed: tuple[Site, Primary]) -> None:
    site, primary = backed
    primary.said = DOWN
    with submit(site) as wire:
        reply = send(wire, "x@backup.test", sender="<alice@example.test>", raw=MINE)
        assert reply.startswith("250")
    assert primary.asked == []
    ((_, claimed, _),) = queued(site)
    assert claimed.queued.notices_to is None


def test_without_anybody_to_ask_nothing_is_taken(site: Site) -> None:
    site.store.write_now(lambda tx: domains.create(tx, "backup.test", {"is_backup": True}))
    with greeted(site) as wire:
        assert send(wire, "x@backup.test").startswith("450 4.4.3 <x@backup.test>: its primary")
