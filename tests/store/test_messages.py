import pytest

from mailserver.base.errors import Cannot, NoTarget, NotFound, OverQuota
from mailserver.base.ids import AccountId, BlobId, MailboxId, ModSeq, Uid
from mailserver.store import flags as bits
from mailserver.store.spool import body_of
from mailserver.store.values import FlagRow
from store.world import NOW, World, derived


@pytest.mark.rfc(9051, "2.3.1.1", "6.3.12")
def test_a_new_message_gets_the_next_uid(world: World) -> None:
    assert [world.add(b"one").uid, world.add(b"two").uid] == [1, 2]
    inbox = world.mailbox("INBOX")
    assert (inbox.uidnext, inbox.exists, inbox.unseen, inbox.size) == (3, 2, 2, 6)
    assert world.raw(inbox.id, 2) == b"two"


@pytest.mark.rfc(9051, "2.3.1.1")
def test_an_expunged_uid_does_not_come_back(world: World) -> None:
    world.add(b"one")
    assert world.expunge(world.inbox, [1]) == [1]
    assert world.add(b"two").uid == 2


@pytest.mark.rfc(9051, "6.4.7")
def test_copy_keeps_flags_keywords_and_date_and_costs_no_quota(world: World) -> None:
    placed = world.add(b"body", flags=bits.FLAGGED, keywords=["$Work"])
    trash = world.mailbox("Trash")
    used = world.account().used
    pairs = world.store.write_now(
        lambda tx: tx.messages.copy(world.inbox, [Uid(1), Uid(99)], trash.id)
    )
    assert pairs == [(1, 1)]
    columns = ("flags", "keywords", "internal_at", "size", "message")
    rows = world.store.read_now(lambda tx: list(tx.messages.rows(trash.id, [(1, 9)], *columns)))
    assert rows == [(bits.FLAGGED, "$Work", NOW, 4, placed.message)]
    assert world.account().used == used == 4


@pytest.mark.rfc(9051, "6.4.8")
def test_move_leaves_a_tombstone_and_keeps_the_message(world: World) -> None:
    placed = world.add(b"body", flags=bits.SEEN)
    before = world.mailbox("INBOX").modseq
    trash = world.mailbox("Trash")
    moved = world.store.write_now(lambda tx: tx.messages.move(world.inbox, [Uid(1)], trash.id))
    assert moved == [(1, 1)]
    delta = world.store.read_now(lambda tx: tx.messages.changes(world.inbox, before))
    assert delta.expunged == [1]
    assert delta.flags == []
    rows = world.store.read_now(lambda tx: list(tx.messages.rows(trash.id, [1], "message")))
    assert rows == [(placed.message,)]
    assert world.mailbox("INBOX").exists == 0
    assert world.mailbox("Trash").unseen == 0


@pytest.mark.rfc(4315, "3")
@pytest.mark.parametrize("is_move", [False, True])
def test_each_goes_with_its_own_flags_to_the_uid_that_is_told(world: World, is_move: bool) -> None:
    trash = world.mailbox("Trash")
    for n in range(12):
        world.add(b"%d" % n, flags=n, keywords=["odd"] if n % 2 else [])
    world.flag(world.inbox, [3], bits.DELETED)
    world.expunge(world.inbox, [3])
    world.add(b"x", trash.id)
    columns = ("flags", "keywords", "size", "message")
    wanted = [Uid(n) for n in (2, 3, 5, 6, 11, 40)]
    before = world.store.read_now(lambda tx: list(tx.messages.rows(world.inbox, wanted, *columns)))
    pairs = world.store.write_now(
        lambda tx: (tx.messages.move if is_move else tx.messages.copy)(
            world.inbox, wanted, trash.id
        )
    )
    assert pairs == [(2, 2), (5, 3), (6, 4), (11, 5)]
    after = world.store.read_now(
        lambda tx: list(tx.messages.rows(trash.id, [new for _, new in pairs], *columns))
    )
    assert after == before
    now = world.mailbox("Trash")
    assert (now.uidnext, now.exists, now.unseen, now.deleted, now.size) == (6, 5, 3, 1, 6)
    assert world.uids(world.inbox) == [
        n for n in range(1, 13) if n != 3 and not (is_move and n in wanted)
    ]


def test_move_into_the_same_mailbox_gives_a_new_uid(world: World) -> None:
    world.add(b"body")
    world.add(b"other")
    assert world.store.write_now(
        lambda tx: tx.messages.move(world.inbox, [Uid(1)], world.inbox)
    ) == [(1, 3)]
    assert world.uids(world.inbox) == [2, 3]


@pytest.mark.rfc(9051, "6.4.3")
def test_expunge_takes_only_what_is_marked_deleted(world: World) -> None:
    for raw in (b"1", b"2", b"3"):
        world.add(raw)
    world.flag(world.inbox, [1, 3], bits.DELETED)
    assert world.store.write_now(lambda tx: tx.messages.expunge(world.inbox, [Uid(2), Uid(3)])) == [
        3
    ]
    assert world.store.write_now(lambda tx: tx.messages.expunge(world.inbox)) == [1]
    assert world.uids(world.inbox) == [2]


def test_the_last_copy_takes_message_and_blob_with_it(world: World) -> None:
    placed = world.add(b"body")
    trash = world.mailbox("Trash").id
    world.store.write_now(lambda tx: tx.messages.copy(world.inbox, [Uid(1)], trash))
    world.expunge(world.inbox, [1])
    assert (world.account().used, world.account().messages) == (4, 1)
    assert world.raw(trash, 1) == b"body"
    world.expunge(trash, [1])
    assert (world.account().used, world.account().messages) == (0, 0)
    again = world.add(b"body")
    assert again.message > placed.message


@pytest.mark.rfc(9051, "6.4.6")
@pytest.mark.parametrize(
    ("how", "flags", "keywords", "after"),
    [
        ("add", bits.SEEN, ["new"], (bits.SEEN | bits.FLAGGED, "$Work new")),
        ("add", 0, ["$WORK"], (bits.FLAGGED, "$Work")),
        ("remove", bits.FLAGGED, ["$work"], (0, "")),
        ("remove", bits.SEEN, ["other"], (bits.FLAGGED, "$Work")),
        ("replace", bits.DRAFT, ["b", "a"], (bits.DRAFT, "a b")),
    ],
)
def test_flags_change(world: World, how, flags, keywords, after) -> None:
    world.add(b"x", flags=bits.FLAGGED, keywords=["$Work"])
    (row,) = world.store.write_now(
        lambda tx: tx.messages.change_flags(world.inbox, [Uid(1), Uid(7)], how, flags, keywords)
    )
    assert (row.flags, row.keywords) == after
    assert world.store.read_now(lambda tx: tx.messages.flags(world.inbox, [(1, 9)])) == [row]


@pytest.mark.rfc(7162, "3.1")
def test_modseq_grows_only_where_something_changed(world: World) -> None:
    world.add(b"1", flags=bits.SEEN)
    world.add(b"2")
    before = world.mailbox("INBOX").modseq
    rows = world.flag(world.inbox, [1, 2], bits.SEEN)
    after = world.mailbox("INBOX").modseq
    assert after > before
    assert [row.modseq for row in rows] == [before - 1, after]
    world.flag(world.inbox, [1, 2], bits.SEEN)
    assert world.mailbox("INBOX").modseq == after


@pytest.mark.rfc(7162, "3.1")
def test_changes_since(world: World) -> None:
    world.add(b"1")
    world.add(b"2")
    since = world.mailbox("INBOX").modseq
    world.flag(world.inbox, [1], bits.ANSWERED)
    world.add(b"3")
    world.add(b"4")
    world.expunge(world.inbox, [2, 4])
    delta = world.store.read_now(lambda tx: tx.messages.changes(world.inbox, since))
    assert [(r.uid, r.flags, r.is_new) for r in delta.flags] == [
        (1, bits.ANSWERED, False),
        (3, 0, True),
    ]
    assert delta.expunged == [2]  # 4 came and went: nobody knew it
    assert delta.uidnext == 5
    quiet = world.store.read_now(lambda tx: tx.messages.changes(world.inbox, delta.modseq))
    assert (quiet.flags, quiet.expunged) == ([], [])


@pytest.mark.rfc(7162, "3.2.10")
@pytest.mark.parametrize("act", ["expunge", "move"])
def test_everything_that_went_is_told(world: World, act: str) -> None:
    for n in range(20):
        world.add(b"%d" % n)
    since = world.mailbox("INBOX").modseq
    gone = [Uid(n) for n in range(3, 18)]
    if act == "expunge":
        world.expunge(world.inbox, gone)
    else:
        trash = world.mailbox("Trash").id
        world.store.write_now(lambda tx: tx.messages.move(world.inbox, gone, trash))
    delta = world.store.read_now(lambda tx: tx.messages.changes(world.inbox, since))
    assert delta.expunged == gone
    assert delta.flags == []


def test_quota_refuses_and_changes_nothing(world: World) -> None:
    world.store.write_now(lambda tx: tx.accounts.set(world.alice.id, quota=10))
    world.add(b"12345678")
    before = (world.account(), world.mailbox("INBOX"))
    with pytest.raises(OverQuota):
        world.add(b"345")
    assert (world.account(), world.mailbox("INBOX")) == before
    assert world.add(b"90").uid == 2


def test_quota_of_the_domain_counts_where_the_account_has_none(world: World) -> None:
    world.store.write_now(lambda tx: tx.domains.set(world.alice.domain_id, quota=3))
    assert world.account().quota == 3
    with pytest.raises(OverQuota):
        world.add(b"1234")


def test_one_full_recipient_does_not_spoil_the_job_of_another(world: World) -> None:
    bob = world.store.write_now(
        lambda tx: tx.accounts.add(world.alice.domain_id, "bob", "hash", quota=1)
    )
    prepared = world.store.prepare(body_of(b"for both"), 100)

    def job(tx):
        blob = tx.blobs.put(prepared)
        inbox = tx.mailboxes.target(bob.id, "INBOX")
        with pytest.raises(OverQuota):
            tx.messages.add(bob.id, inbox.id, blob, derived(), internal_at=NOW)
        return tx.messages.add(world.alice.id, world.inbox, blob, derived(), internal_at=NOW)

    assert world.store.write_now(job).uid == 1
    found = world.store.read_now(lambda tx: tx.accounts.get(bob.id))
    assert (found.used, found.messages) == (0, 0)


def test_a_missing_mailbox_is_no_target_and_changes_nothing(world: World) -> None:
    before = world.account()

    def job(tx):
        prepared = world.store.prepare(body_of(b"x"), 100)
        with pytest.raises(NoTarget):
            tx.messages.add(
                world.alice.id, MailboxId(999), tx.blobs.put(prepared), derived(), internal_at=NOW
            )

    world.store.write_now(job)
    assert world.account() == before


def test_a_blob_of_an_earlier_job_can_be_filed_again(world: World) -> None:
    world.add(b"body")

    def job(tx):
        ((blob,),) = tx.messages.rows(world.inbox, [1], "blob")
        return tx.messages.add(world.alice.id, world.inbox, blob, derived(), internal_at=NOW)

    assert world.store.write_now(job).uid == 2
    assert world.account().used == 8
    world.expunge(world.inbox, [1])
    assert world.raw(world.inbox, 2) == b"body"


@pytest.mark.rfc(9051, "6.4.7")
def test_what_is_not_there_is_said(world: World) -> None:
    nowhere = MailboxId(999)
    world.add(b"x")
    for act in ("copy", "move"):
        with pytest.raises(NoTarget):
            world.store.write_now(
                lambda tx, act=act: getattr(tx.messages, act)(world.inbox, [Uid(1)], nowhere)
            )
        with pytest.raises(NotFound):
            world.store.write_now(
                lambda tx, act=act: getattr(tx.messages, act)(nowhere, [Uid(1)], world.inbox)
            )
    for job in (
        lambda tx: tx.mailboxes.claim_recent(nowhere),
        lambda tx: tx.mailboxes.create(AccountId(999), "x"),
        lambda tx: tx.messages.expunge(nowhere),
        lambda tx: tx.messages.add(
            AccountId(999), world.inbox, BlobId(1), derived(), internal_at=NOW
        ),
    ):
        with pytest.raises(NotFound):
            world.store.write_now(job)
    assert world.store.write_now(lambda tx: tx.messages.copy(world.inbox, [], nowhere)) == []
    assert world.store.write_now(lambda tx: tx.messages.expunge(world.inbox, [])) == []


def test_copy_between_accounts_is_refused(world: World) -> None:
    bob = world.store.write_now(lambda tx: tx.accounts.add(world.alice.domain_id, "bob", "hash"))
    world.add(b"x")
    with pytest.raises(Cannot):
        world.store.write_now(
            lambda tx: tx.messages.copy(
                world.inbox, [Uid(1)], tx.mailboxes.target(bob.id, "INBOX").id
            )
        )


@pytest.mark.rfc(8474, "5.2")
def test_threads_follow_any_known_key_and_end_with_their_last_message(world: World) -> None:
    first = world.add(b"1", thread_keys=[1])
    reply = world.add(b"2", thread_keys=[2, 1])
    other = world.add(b"3", thread_keys=[3])
    joins = world.add(b"4", thread_keys=[4, 3, 2])
    assert first.thread == first.message == reply.thread
    assert joins.thread == other.thread == other.message
    world.expunge(world.inbox, [first.uid, reply.uid])
    assert world.add(b"5", thread_keys=[1]).thread not in (first.thread, other.thread)


def test_first_unseen(world: World) -> None:
    for raw, flags in ((b"1", bits.SEEN), (b"2", 0), (b"3", 0)):
        world.add(raw, flags=flags)
    assert world.store.read_now(lambda tx: tx.messages.first_unseen(world.inbox)) == 2
    assert world.store.read_now(lambda tx: tx.messages.unseen(world.inbox)) == [2, 3]
    world.flag(world.inbox, [2, 3], bits.SEEN)
    assert world.store.read_now(lambda tx: tx.messages.first_unseen(world.inbox)) is None


def test_flags_of_nothing_is_nothing(world: World) -> None:
    assert world.store.read_now(lambda tx: tx.messages.flags(world.inbox, [])) == []
    assert world.flag(world.inbox, [], bits.SEEN) == []
    world.add(b"x")
    assert world.store.read_now(lambda tx: tx.messages.flags(world.inbox, [1, 5])) == [
        FlagRow(Uid(1), 0, "", ModSeq(3), False)
    ]
