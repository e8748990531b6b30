"""What was brought from elsewhere, and UIDs that stay (RFC 9051 §2.3.1.1)."""

import pytest

from mailserver.base.ids import Uid, UidValidity
from mailserver.store.moved import Place
from mailserver.store.spool import body_of
from store.world import World

HERE = Place("imap://ann@mail.example.net:993", "INBOX", 7)


def test_what_has_come_is_known(world: World) -> None:
    store, alice = world.store, world.alice.id
    assert store.read_now(lambda tx: tx.moved.done(alice, HERE)) == set()
    store.write_now(lambda tx: tx.moved.note(alice, HERE, [1, 2]))
    store.write_now(lambda tx: tx.moved.note(alice, HERE, [2, 1 << 62]))
    assert store.read_now(lambda tx: tx.moved.done(alice, HERE)) == {1, 2, 1 << 62}
    later = HERE._replace(validity=8)
    assert store.read_now(lambda tx: tx.moved.done(alice, later)) == set()
    assert store.read_now(lambda tx: tx.moved.was_otherwise(alice, later))
    assert not store.read_now(lambda tx: tx.moved.was_otherwise(alice, HERE))


def test_a_removed_account_takes_it_along(world: World) -> None:
    """In slices, as everything of it."""
    store, alice = world.store, world.alice.id
    store.write_now(lambda tx: tx.moved.note(alice, HERE, range(25_000)))
    store.write_now(lambda tx: tx.accounts.remove(alice))
    while store.write_now(lambda tx: tx.purge.some()):
        pass
    assert store.read_now(lambda tx: tx.moved.done(alice, HERE)) == set()


@pytest.mark.rfc(9051, "2.3.1.1")
def test_a_uidvalidity_is_taken_over_by_who_never_had_mail(world: World) -> None:
    store, inbox = world.store, world.inbox
    old = world.mailbox("INBOX")
    assert not store.write_now(lambda tx: tx.moved.adopt(inbox, UidValidity(0)))
    assert not store.write_now(lambda tx: tx.moved.adopt(inbox, UidValidity(1 << 32)))
    assert store.write_now(lambda tx: tx.moved.adopt(inbox, UidValidity(77)))
    assert store.write_now(lambda tx: tx.moved.adopt(inbox, UidValidity(77)))
    new = world.mailbox("INBOX")
    assert (new.uidvalidity, new.uidnext) == (77, 1)
    assert new.modseq > old.modseq
    store.write_now(lambda tx: tx.moved.skip_to(inbox, Uid(5)))
    store.write_now(lambda tx: tx.moved.skip_to(inbox, Uid(3)))
    assert world.mailbox("INBOX").uidnext == 5
    assert not store.write_now(lambda tx: tx.moved.adopt(inbox, UidValidity(78)))


def test_the_same_octets(world: World) -> None:
    store, inbox = world.store, world.inbox
    placed = world.add()
    columns = ("blob",)
    blob = store.read_now(lambda tx: next(iter(tx.messages.rows(inbox, [placed.uid], *columns)))[0])
    digest = store.read_now(lambda tx: tx.blobs.sha256(blob))
    other = body_of(b"something else").sha256
    for mine, found in ((digest, True), (other, False)):
        assert store.read_now(lambda tx, d=mine: tx.moved.holds(inbox, d)) is found  # type: ignore[misc]
        assert store.read_now(lambda tx, d=mine: tx.moved.is_at(inbox, placed.uid, d)) is found  # type: ignore[misc]
    assert not store.read_now(lambda tx: tx.moved.is_at(inbox, Uid(9), digest))
