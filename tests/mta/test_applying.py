"""What a script wants for mail that is there, done and taken back: nothing is lost, whatever happens in between."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.ids import MailboxId, MessageId, Uid
from mailserver.mta import applying
from mailserver.mta.applying import TRASH, Wanted, Wish
from mailserver.mta.filtering import Copy
from mailserver.sieve.actions import Discard, FileInto, Keep, Redirect, Reject, Vacation
from mailserver.sieve.errors import RunError
from mailserver.sieve.run import Outcome
from mailserver.store import flags as bits
from mailserver.store.spool import body_of
from mailserver.store.tx import Read, Write
from mailserver.store.values import Placed
from store.world import NOW, World, derived

ALL = [(1, 2**32 - 1)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(Path(tmp_path_factory.mktemp("world")))
    yield world
    world.close()


@pytest.mark.parametrize(
    ("actions", "wish"),
    [
        ((Keep(is_implicit=True),), Wish()),
        ((Keep(flags=("\\Seen", "x")),), Wish(flags=bits.SEEN, keywords=("x",))),
        ((FileInto(mailbox="A"),), Wish((Copy("A"),), stays=False)),
        ((FileInto(mailbox="A"), Keep()), Wish((Copy("A"),))),
        ((Discard(),), Wish((TRASH,), stays=False)),
        ((Discard(), FileInto(mailbox="A")), Wish((Copy("A"),), stays=False)),
        ((Discard(), Redirect(address="a@b.example")), Wish()),
        ((Redirect(address="a@b.example"),), Wish()),
        ((Reject(reason="no", at_smtp=True),), Wish()),
        ((Vacation(reason="x", seconds=1, handle="h"), Keep()), Wish()),
        (
            (FileInto(mailbox="A", creates=True, special_use="\\Junk", mailbox_id="F1"),),
            Wish((Copy("A", 0, (), True, "\\Junk", "F1"),), stays=False),
        ),
    ],
)
def test_what_can_be_done(actions, wish):
    assert applying.wish(Outcome(actions)) == wish
    assert applying.wish(Outcome(actions, RunError("x"))) == Wish()


def filed(world: World, tx: Write, account, inbox, flags: int) -> Placed:
    blob = tx.blobs.put(world.store.prepare(body_of(b"From: a\r\n\r\nhello\r\n"), 131_072))
    return tx.messages.add(account, inbox, blob, derived(), flags=flags, internal_at=NOW)


def state(tx: Read, account) -> dict[str, list[tuple[int, int, str]]]:
    """Mailbox -> (message, flags, keywords), sorted."""
    return {
        box.name: sorted(tx.messages.rows(box.id, ALL, "message", "flags", "keywords"))
        for box in tx.mailboxes.all(account)
    }


_COPIES = st.lists(
    st.builds(
        Copy,
        st.sampled_from(["INBOX", "A", "B", "missing", "New"]),
        st.sampled_from([0, bits.FLAGGED, bits.SEEN]),
        st.sampled_from([(), ("x",), ("x", "y")]),
        st.booleans(),
    )
    | st.just(TRASH),
    max_size=3,
).map(tuple)
_WISHES = st.builds(
    Wish, _COPIES, st.booleans(), st.sampled_from([0, bits.FLAGGED]), st.sampled_from([(), ("z",)])
).filter(lambda wish: bool(wish.stays or wish.copies))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(_WISHES, st.integers(0, 15)), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.sampled_from(["A", "B", "INBOX", "Trash"]), st.integers(0, 3)), max_size=2
    ),
)
def test_nothing_is_lost_and_all_comes_back(world: World, messages, moved):
    def fill(tx: Write) -> tuple[int, int, list[Wanted]]:
        account = tx.accounts.add(world.alice.domain_id, f"u{len(tx.accounts.list())}", "x").id
        inbox = tx.mailboxes.get(account, "INBOX").id
        for name in ("A", "B"):
            tx.mailboxes.create(account, name)
        wanted = []
        for wish, flags in messages:
            placed = filed(world, tx, account, inbox, flags & ~bits.DELETED)
            wanted.append(Wanted(placed.uid, placed.message, wish))
        return account, inbox, wanted

    account, inbox, wanted = world.store.write_now(fill)
    before = world.store.read_now(lambda tx: state(tx, account))
    ids = {one.message for one in wanted}
    done = world.store.write_now(lambda tx: applying.apply(tx, account, inbox, wanted))
    between = world.store.read_now(lambda tx: state(tx, account))
    assert {row[0] for rows in between.values() for row in rows} == ids
    for one in done:
        assert not applying_changed(world, inbox, [one])

    def meddle(tx: Write) -> bool:
        """Somebody moves a message meanwhile."""
        is_any = False
        for name, nth in moved:
            box = tx.mailboxes.find(account, name)
            uids = list(tx.messages.uids(box.id)) if box else []
            if nth < len(uids) and name != "A":
                tx.messages.move(box.id, [Uid(uids[nth])], tx.mailboxes.get(account, "A").id)
                is_any = True
        return is_any

    was_meddled = world.store.write_now(meddle)
    back, changed = world.store.write_now(lambda tx: applying.undo(tx, inbox, done))
    after = world.store.read_now(lambda tx: state(tx, account))
    assert {row[0] for rows in after.values() for row in rows} == ids
    assert len(back) + len(changed) == len(done)
    if not was_meddled:
        assert changed == []
        assert after["INBOX"] == before["INBOX"]
        assert all(not rows for name, rows in after.items() if name != "INBOX")


def applying_changed(world: World, mailbox: int, done) -> list:
    return world.store.read_now(lambda tx: applying.changed_since(tx, MailboxId(mailbox), done))


def test_another_message_with_this_uid_is_left_alone(world: World):
    def job(tx: Write) -> list:
        account = tx.accounts.add(world.alice.domain_id, f"u{len(tx.accounts.list())}", "x").id
        inbox = tx.mailboxes.get(account, "INBOX").id
        placed = filed(world, tx, account, inbox, 0)
        wish = Wish((TRASH,), stays=False)
        wrong = Wanted(placed.uid, MessageId(placed.message + 1), wish)
        gone = Wanted(Uid(placed.uid + 1), placed.message, wish)
        return applying.apply(tx, account, inbox, [wrong, gone])

    assert world.store.write_now(job) == []
