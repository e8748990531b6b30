"""Where notices end up: in mailboxes, in the queue, with postmaster, or at least in the log."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.base.limits import Limits, QueueLimits
from mailserver.directory import accounts, aliases, domains
from mailserver.directory.addresses import parse
from mailserver.mta.nexthop import REJECT
from mailserver.mta.notice import Kind, Original, Recipient, Returned
from mailserver.mta.notify import Notice, Terms, prepare, returned
from mailserver.store.queue_values import Claimed
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write

BOB = Recipient("bob@example.com", status="5.1.1", code=550, reply="unknown", host="mx.example.com")
RETURNED = Returned(b"Subject: Lunch\r\n\r\nAt noon?\r\n", is_whole=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    def people(tx: Write) -> None:
        domains.create(tx, "example.test", {})
        accounts.create(tx, parse("alice@example.test"), "hash", quota=100_000)
        accounts.create(tx, parse("postmaster@example.test"), "hash")

    store = Store(tmp_path)
    store.open()
    store.write_now(people)
    yield store
    store.close()


def notice(
    sender: str = "alice@example.test",
    kind: Kind = Kind.FAILED,
    original: Original | None = None,
) -> Notice:
    made = prepare(
        kind,
        original or Original("c0ffee", sender, 1_700_000_000, subject="Lunch"),
        [BOB._replace(notify="SUCCESS,FAILURE,DELAY")],
        RETURNED,
        Terms("mail.example.test", Limits()),
        id="b0unce",
        now=1_700_000_100,
    )
    assert made is not None
    return made


def inbox(store: Store, address: str) -> list[bytes]:
    def read(tx: Read) -> list[bytes]:
        account = accounts.at(tx, parse(address))
        mailbox = tx.mailboxes.get(account.id, "INBOX").id
        uids = tx.messages.uids(mailbox)
        return [tx.blobs.read(b) for (b,) in tx.messages.rows(mailbox, uids, "blob")]

    return store.read_now(read)


def queue(store: Store) -> list[Claimed]:
    def claim(tx: Write) -> list[Claimed]:
        due = tx.queue.due(tx.now + 10, 10)
        return tx.queue.claim([(d.destination, 10) for d in due])

    return store.write_now(claim)


def test_a_local_sender_finds_it_in_the_inbox(store, caplog):
    caplog.set_level(logging.INFO)
    made = notice()
    store.write_now(made.file)
    (raw,) = inbox(store, "alice@example.test")
    assert raw == made.data
    assert raw.startswith(b"Return-Path: <>\r\nDelivered-To: alice@example.test\r\nDate: ")
    assert not queue(store)
    assert "notice sent" in caplog.messages


@pytest.mark.rfc(3461, "6.1")
def test_a_sender_elsewhere_gets_it_by_the_queue(store):
    made = notice("carol@example.net")
    store.write_now(made.file)
    (claimed,) = queue(store)
    q, (to,) = claimed.queued, claimed.recipients
    assert (q.sender, q.origin, q.notices_to, q.trace, q.ret) == ("", "notice", "", "b0unce", "")
    assert (to.address, to.domain, to.notify) == ("carol@example.net", "example.net", "NEVER")
    assert q.expires_at - q.created_at == 86_400
    raw = store.read_now(lambda tx: tx.blobs.read(q.blob))
    assert raw[q.skip :].startswith(b"Date: ")
    assert q.size == len(raw) - q.skip


def test_the_next_hop_is_chosen_as_for_any_mail(store):
    store.write_now(lambda tx: tx.routes.add("example.net", "smtp:relay.example:25"))
    store.write_now(notice("carol@example.net").file)
    assert store.read_now(lambda tx: [d.name for d in tx.queue.due(2**40, 10)]) == [
        "smtp:relay.example:25"
    ]


@pytest.mark.parametrize(("kind", "copies"), [(Kind.FAILED, 1), (Kind.DELAYED, 0)])
def test_where_no_mail_goes_no_notice_does(store, caplog, kind, copies):
    store.write_now(lambda tx: tx.routes.add("example.net", REJECT))
    store.write_now(notice("carol@example.net", kind).file)
    assert not queue(store)
    assert len(inbox(store, "postmaster@example.test")) == copies
    (said,) = caplog.messages
    assert said == ("notice sent to postmaster instead" if copies else "notice dropped")


@pytest.mark.parametrize("sender", ["gone@example.test", "alice@example.test"])
def test_a_failure_that_its_sender_cannot_get_goes_to_postmaster(store, caplog, sender):
    caplog.set_level(logging.INFO)

    def fill(tx: Write) -> None:
        tx.accounts.set(accounts.at(tx, parse("alice@example.test")).id, quota=1)

    store.write_now(fill)
    store.write_now(notice(sender).file)
    (raw,) = inbox(store, "postmaster@example.test")
    assert f"To: {sender}\r\n".encode() in raw
    assert not inbox(store, "alice@example.test")
    assert "notice sent to postmaster instead" in caplog.messages


@pytest.mark.parametrize("kind", [Kind.DELAYED, Kind.DELIVERED, Kind.RELAYED, Kind.EXPANDED])
def test_other_kinds_do_not_bother_postmaster(store, caplog, kind):
    store.write_now(notice("gone@example.test", kind).file)
    assert not inbox(store, "postmaster@example.test")
    assert "notice dropped" in caplog.messages


def test_nobody_at_all_is_there(store, caplog):
    def close(tx: Write) -> None:
        for name in ("alice", "postmaster"):
            tx.accounts.remove(accounts.at(tx, parse(f"{name}@example.test")).id)

    store.write_now(close)
    store.write_now(notice().file)
    assert "notice dropped" in caplog.messages


def test_an_alias_that_leads_elsewhere_takes_notices_there(store):
    target = [parse("alice@example.test"), parse("carol@example.net")]
    store.write_now(lambda tx: aliases.create(tx, parse("team@example.test"), target))
    store.write_now(notice("team@example.test").file)
    assert len(inbox(store, "alice@example.test")) == 1
    (claimed,) = queue(store)
    assert [r.address for r in claimed.recipients] == ["carol@example.net"]
    assert (claimed.queued.sender, claimed.queued.notices_to) == ("", "")


@pytest.mark.parametrize("keeps", [True, False])
def test_who_forwards_his_mail_finds_notices_here(store, keeps):
    def forward(tx: Write) -> None:
        account = accounts.at(tx, parse("alice@example.test"))
        aliases.forward(tx, account, [parse("carol@example.net")], keeps_copy=keeps)

    store.write_now(forward)
    store.write_now(notice().file)
    assert len(inbox(store, "alice@example.test")) == 1
    assert not queue(store)


def test_the_owner_of_a_forward_gets_it(store):
    forwarded = Original("c0ffee", "stranger@example.net", 0, notices_to="alice@example.test")
    store.write_now(notice(original=forwarded).file)
    assert len(inbox(store, "alice@example.test")) == 1
    assert not queue(store)


@pytest.mark.rfc(3461, "5.2")
@pytest.mark.parametrize("sender", ["", "no address"])
def test_nobody_to_tell(sender):
    original = Original("c0ffee", sender, 0)
    terms = Terms("mail.example.test", Limits())
    assert prepare(Kind.FAILED, original, [BOB], RETURNED, terms, id="1", now=0) is None


@pytest.mark.rfc(3461, "6.2")
def test_no_more_is_read_than_comes_back():
    raw = b"Subject: Lunch\r\n\r\n" + b"x" * 100
    limits = Limits(queue=QueueLimits(returned_size=50))
    asked = []

    def read(offset, length):
        asked.append((offset, length))
        return raw[offset : offset + length]

    original = Original("c0ffee", "alice@example.test", 0)
    assert returned(Kind.FAILED, original, 120, read, limits) == Returned(raw[:50], is_whole=False)
    assert returned(Kind.FAILED, original, 50, read, limits) == Returned(raw[:50], is_whole=True)
    assert asked == [(0, 50), (0, 50)]


@pytest.mark.rfc(8689, "5")
def test_protection_that_was_asked_for_holds_on_the_way_back(store):
    original = Original("c0ffee", "carol@example.net", 0, needs_tls=True)
    store.write_now(notice(original=original).file)
    (claimed,) = queue(store)
    assert claimed.queued.needs_tls


def test_a_utf8_sender(store):
    store.write_now(notice("δοκιμή@example.net").file)
    (claimed,) = queue(store)
    assert claimed.queued.is_utf8
    assert claimed.queued.is_8bit
