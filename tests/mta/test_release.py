"""Mail that waited for its time: whom it reaches then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.base.limits import QueueLimits
from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.mime.scan import derive
from mailserver.mta.leave import LOCAL
from mailserver.mta.nexthop import Hops
from mailserver.mta.release import Content, Terms, release
from mailserver.store.queue_values import NewQueued, NewRecipient
from mailserver.store.spool import body_of
from mailserver.store.store import Store, StoreOptions
from mailserver.store.tx import Read, Write

NOW = 1_800_000_000
KEPT = b"Return-Path: <alice@example.test>\r\n"
RAW = KEPT + b"Received: x\r\nFrom: alice@example.test\r\nSubject: later\r\n\r\nhi\r\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    def people(tx: Write) -> None:
        domains.create(tx, "example.test", {})
        for name in ("alice", "bob", "carol"):
            accounts.create(tx, parse(f"{name}@example.test"), "hash")
        accounts.create(tx, parse("full@example.test"), "hash", quota=10)
        tx.accounts.set(accounts.at(tx, parse("carol@example.test")).id, is_active=False)
        for alias, *targets in (
            ("team", "alice@example.test", "bob@example.test"),
            ("mixed", "bob@example.test", "x@elsewhere.test"),
            ("tight", "bob@example.test", "full@example.test"),
        ):
            aliases.create(tx, parse(f"{alias}@example.test"), [parse(t) for t in targets])

    store = Store(tmp_path, options=StoreOptions(clock=lambda: float(NOW)))
    store.open()
    store.write_now(people)
    yield store
    store.close()


def later(store: Store, *to: str, raw: bytes = RAW, limits: QueueLimits | None = None) -> list[str]:
    """Queues a message for *to* as it is when a user sends later, releases it, and tells what became of each."""
    terms = Terms("mail.example.test", limits or QueueLimits(), Hops(), b"k" * 32)
    derived = derive(raw)

    def job(tx: Write) -> list[str]:
        alice = accounts.at(tx, parse("alice@example.test")).id
        blob = tx.blobs.put(store.prepare(body_of(raw), 100_000))
        new = NewQueued(
            trace="t1",
            account=alice,
            sender="alice@example.test",
            blob=blob,
            skip=len(KEPT),
            prefix=b"",
            size=len(raw) - len(KEPT),
            origin="submitted",
            notices_to=None,
            is_8bit=False,
            is_utf8=False,
            needs_tls=False,
            ret="HDRS",
            envid="e1",
            message_id="",
            subject="later",
            release_at=NOW,
            warn_at=None,
            expires_at=NOW + 1_000,
        )
        recipients = [NewRecipient(a, a.partition("@")[2], LOCAL, "", "DELAY") for a in to]
        tx.queue.add(new, recipients)
        (due,) = tx.queue.due(NOW, 10)
        assert due.name == LOCAL
        (claimed,) = tx.queue.claim([(due.destination, 10)])
        prepared = store.prepare(body_of(raw), 100_000)
        content = Content(claimed.queued, prepared, derived, raw[len(KEPT) :])
        said = release(tx, content, claimed.recipients, terms)
        return [str(reply) for reply in said]

    return store.write_now(job)


def inbox(store: Store, name: str) -> list[bytes]:
    def job(tx: Read) -> list[bytes]:
        box = tx.mailboxes.get(accounts.at(tx, parse(f"{name}@example.test")).id, "INBOX")
        blobs = [blob for (blob,) in tx.messages.rows(box.id, [(1, 2**32 - 1)], "blob")]
        return [tx.blobs.read(blob) for blob in blobs]

    return store.read_now(job)


def leaves(store: Store) -> list[tuple[str, str, str, str, bytes]]:
    """Sender, recipient, its NOTIFY, the message's ENVID and prefix of everything that waits for others."""

    def job(tx: Write) -> list[tuple[str, str, str, str, bytes]]:
        found = []
        for due in tx.queue.due(NOW, 10):
            if due.name != LOCAL:
                for claimed in tx.queue.claim([(due.destination, 10)]):
                    new = claimed.queued
                    found += [
                        (new.sender, r.address, r.notify, new.envid, new.prefix)
                        for r in claimed.recipients
                    ]
        return found

    return store.write_now(job)


@pytest.mark.rfc(4865, "4", "5")
def test_everybody_gets_it_once_and_as_it_was_stored(store: Store) -> None:
    said = later(store, "bob@example.test", "team@example.test", "BOB+x@example.test")
    assert said == ["250 2.1.5 Delivered"] * 3
    assert inbox(store, "bob") == [RAW]
    assert inbox(store, "alice") == [RAW]
    assert leaves(store) == []


def test_whoever_is_not_there_any_more_is_told_apart(store: Store) -> None:
    said = later(store, "bob@example.test", "gone@example.test", "carol@example.test")
    assert said[0].startswith("250 2.1.5")
    assert said[1].startswith("550 5.1.1 <gone@example.test>: no such user")
    assert said[2].startswith("550 5.2.1 <carol@example.test>: the account is switched off")


def test_no_room_is_for_now_and_for_all_of_an_alias(store: Store) -> None:
    assert later(store, "tight@example.test", "alice@example.test") == [
        "452 4.2.2 <tight@example.test>: mailbox full, try again later",
        "250 2.1.5 Delivered",
    ]
    assert inbox(store, "bob") == [], "he would get it again with the next attempt"


def test_what_an_alias_passes_on_leaves(store: Store) -> None:
    assert later(store, "mixed@example.test") == ["250 2.1.5 Delivered"]
    assert inbox(store, "bob") == [RAW]
    prefix = b"Delivered-To: mixed@example.test\r\n"
    assert leaves(store) == [("alice@example.test", "x@elsewhere.test", "", "", prefix)]


def test_a_domain_that_has_moved_away(store: Store) -> None:
    assert later(store, "bob@moved.test") == ["250 2.1.5 Passed on"]
    assert leaves(store) == [("alice@example.test", "bob@moved.test", "DELAY", "e1", b"")]


def test_a_loop_is_cut(store: Store) -> None:
    raw = KEPT + b"Delivered-To: mixed@example.test\r\n" + RAW[len(KEPT) :]
    (said,) = later(store, "mixed@example.test", raw=raw)
    assert said.startswith("554 5.4.6 Mail loop: mixed@example.test")
    assert inbox(store, "bob") == []


def test_an_address_that_is_none(store: Store) -> None:
    assert later(store, "postmaster") == ["250 2.1.5 Delivered"]
    (said,) = later(store, "a b@example.test")
    assert said.startswith("550 5.1.3")
