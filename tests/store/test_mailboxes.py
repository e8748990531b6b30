import unicodedata

import pytest

from mailserver.base.errors import AlreadyExists, Cannot, LimitReached, NoTarget, NotFound
from mailserver.base.limits import ImapLimits
from mailserver.store import flags as bits
from mailserver.store.names import canonical, parents
from mailserver.store.store import StoreOptions
from store.world import NOW, World


def names(world: World) -> list[str]:
    return [m.name for m in world.store.read_now(lambda tx: tx.mailboxes.all(world.alice.id))]


def rename(world: World, old: str, new: str):
    return world.store.write_now(lambda tx: tx.mailboxes.rename(world.alice.id, old, new))


def delete(world: World, name: str) -> None:
    world.store.write_now(lambda tx: tx.mailboxes.delete(world.alice.id, name))


@pytest.mark.rfc(6154, "2")
def test_an_account_starts_with_its_mailboxes(world: World) -> None:
    found = world.store.read_now(lambda tx: tx.mailboxes.all(world.alice.id))
    assert [(m.name, m.special_use) for m in found] == [
        ("Archive", "\\Archive"),
        ("Drafts", "\\Drafts"),
        ("INBOX", None),
        ("Junk", "\\Junk"),
        ("Sent", "\\Sent"),
        ("Trash", "\\Trash"),
    ]
    subscribed = world.store.read_now(lambda tx: tx.mailboxes.subscriptions(world.alice.id))
    assert subscribed == [m.name for m in found]
    sent = world.store.read_now(lambda tx: tx.mailboxes.special(world.alice.id, "\\Sent"))
    assert sent is not None
    assert sent.name == "Sent"


@pytest.mark.rfc(9051, "5.1")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("inbox", "INBOX"),
        ("InBox/a", "INBOX/a"),
        ("Inboxes", "Inboxes"),
        ("a/inbox", "a/inbox"),
        ("e\u0301", "\u00e9"),
    ],
)
def test_names_have_one_spelling(given: str, kept: str) -> None:
    assert canonical(given) == kept


def test_parents() -> None:
    assert parents("a/b/c") == ["a", "a/b"]
    assert parents("a") == []


@pytest.mark.rfc(9051, "6.3.4")
def test_create_makes_superior_names(world: World) -> None:
    made = world.create("a/b/c/")
    assert made.name == "a/b/c"
    assert names(world)[-3:] == ["a", "a/b", "a/b/c"]
    with pytest.raises(AlreadyExists):
        world.create("a/b")


@pytest.mark.parametrize("name", ["", "/", "a//b", "/a", "a\r\nb", "a\0", "a\u2028b"])
def test_impossible_names(world: World, name: str) -> None:
    with pytest.raises(Cannot):
        world.create(name)


def test_limits_on_names(tmp_path) -> None:
    limits = ImapLimits(mailboxes=8, mailbox_name_size=12, mailbox_depth=3)
    world = World(tmp_path, StoreOptions(limits=limits))
    for name in ("1234567890123", "ééééééé", "a/b/c/d"):
        with pytest.raises(LimitReached):
            world.create(name)
    with pytest.raises(LimitReached):
        world.create("a/b/c")
    assert "a" not in names(world)
    world.create("a/b")
    with pytest.raises(LimitReached):
        world.create("c")
    delete(world, "a/b")
    world.create("c")
    world.close()


def test_limit_on_subscriptions(tmp_path) -> None:
    world = World(tmp_path, StoreOptions(limits=ImapLimits(mailboxes=6)))
    for n in range(6):
        world.store.write_now(lambda tx, n=n: tx.mailboxes.subscribe(world.alice.id, f"x{n}"))
    with pytest.raises(LimitReached):
        world.store.write_now(lambda tx: tx.mailboxes.subscribe(world.alice.id, "y"))
    world.store.write_now(lambda tx: tx.mailboxes.subscribe(world.alice.id, "x1"))
    world.close()


@pytest.mark.rfc(9051, "6.3.5")
def test_delete_takes_the_messages(world: World) -> None:
    box = world.create("box")
    world.add(b"one", box.id)
    delete(world, "box")
    assert world.account().used == 0
    assert world.store.read_now(lambda tx: tx.mailboxes.by_id(box.id)) is None
    with pytest.raises(NotFound):
        world.store.read_now(lambda tx: tx.messages.changes(box.id, box.modseq))
    with pytest.raises(NotFound):
        world.flag(box.id, [1], bits.SEEN)
    with pytest.raises(NoTarget):
        world.add(b"two", box.id)
    with pytest.raises(NotFound):
        delete(world, "box")


@pytest.mark.rfc(9051, "6.3.5", "2.3.1.1")
def test_a_name_that_comes_back_has_a_larger_uidvalidity(world: World) -> None:
    before = world.create("box")
    delete(world, "box")
    world.clock.now -= 10_000_000  # even if the clock went back
    after = world.create("box")
    assert after.uidvalidity > before.uidvalidity
    assert after.id > before.id


@pytest.mark.rfc(9051, "2.3.1.1")
def test_uidvalidity_follows_the_clock(world: World) -> None:
    world.clock.now = NOW + 1_000_000
    assert world.create("box").uidvalidity == NOW + 1_000_000


@pytest.mark.rfc(9051, "6.3.5")
def test_a_deleted_name_with_inferiors_stays_without_being_a_mailbox(world: World) -> None:
    world.create("a/b")
    parent = world.mailbox("a")
    world.add(b"x", parent.id)
    delete(world, "a")
    (left,) = [
        m
        for m in world.store.read_now(lambda tx: tx.mailboxes.all(world.alice.id))
        if m.name == "a"
    ]
    assert not left.is_selectable
    assert left.exists == 0
    with pytest.raises(NotFound):
        world.mailbox("a")
    with pytest.raises(NoTarget):
        world.store.read_now(lambda tx: tx.mailboxes.target(world.alice.id, "a"))
    with pytest.raises(NoTarget):
        world.add(b"x", left.id)
    with pytest.raises(Cannot):
        delete(world, "a")
    again = world.create("a")
    assert again.is_selectable
    assert again.uidvalidity > parent.uidvalidity
    assert world.add(b"x", again.id).uid == 1
    delete(world, "a/b")
    delete(world, "a")
    assert "a" not in names(world)


def test_inbox_cannot_be_deleted(world: World) -> None:
    with pytest.raises(Cannot):
        delete(world, "inbox")


@pytest.mark.rfc(9051, "6.3.6")
def test_rename_takes_inferiors_along(world: World) -> None:
    world.create("a/b/c")
    world.create("a!")  # sorts before "a/"
    world.create("a0")  # and after
    kept = world.mailbox("a/b")
    renamed = rename(world, "a", "x/y")
    assert renamed.name == "x/y"
    assert {"x", "x/y", "x/y/b", "x/y/b/c", "a!", "a0"} <= set(names(world))
    assert "a/b" not in names(world)
    assert world.mailbox("x/y/b") == kept._replace(name="x/y/b")


@pytest.mark.rfc(9051, "6.3.6")
def test_renaming_inbox_moves_its_messages(world: World) -> None:
    world.create("INBOX/sub")
    world.add(b"one")
    world.add(b"two", flags=bits.SEEN)
    inbox = world.mailbox("INBOX")
    made = rename(world, "inbox", "old")
    assert (made.exists, made.unseen, made.size) == (2, 1, 6)
    assert world.uids(made.id) == [1, 2]
    left = world.mailbox("INBOX")
    assert (left.id, left.exists, left.uidnext, left.uidvalidity) == (
        inbox.id,
        0,
        3,
        inbox.uidvalidity,
    )
    assert "INBOX/sub" in names(world)
    assert "old/sub" not in names(world)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("nowhere", "x", NotFound),
        ("Sent", "Trash", AlreadyExists),
        ("Sent", "Sent", AlreadyExists),
        ("Sent", "Sent/x", Cannot),
        ("Sent", "a//b", Cannot),
        ("Sent", "INBOX", AlreadyExists),
        ("Sent", "x" * 1001, LimitReached),
    ],
)
def test_renames_that_cannot_be(world: World, old: str, new: str, error: type) -> None:
    before = names(world)
    with pytest.raises(error):
        rename(world, old, new)
    assert names(world) == before


@pytest.mark.rfc(9051, "6.3.6", "2.3.1.1")
def test_a_name_never_goes_back_in_uidvalidity_by_renaming(world: World) -> None:
    old = world.create("old")
    newer = world.create("newer")
    rename(world, "newer", "elsewhere")
    under = rename(world, "old", "newer")
    assert old.uidvalidity < newer.uidvalidity < under.uidvalidity
    # and where the name never had a larger one, nothing changes for the client
    assert rename(world, "elsewhere", "third").uidvalidity == newer.uidvalidity


def test_two_renames_in_one_job_leave_both_traces(world: World) -> None:
    first = world.create("one")

    def job(tx):
        tx.mailboxes.rename(world.alice.id, "one", "two")
        tx.mailboxes.rename(world.alice.id, "two", "three")

    world.store.write_now(job)
    lower = world.mailbox("Archive")
    assert lower.uidvalidity < first.uidvalidity
    assert rename(world, "Archive", "two").uidvalidity > first.uidvalidity
    assert rename(world, "Junk", "one").uidvalidity > first.uidvalidity


@pytest.mark.rfc(9051, "6.3.7", "6.3.8")
def test_subscriptions_are_names_of_their_own(world: World) -> None:
    def subscribed() -> list[str]:
        return world.store.read_now(lambda tx: tx.mailboxes.subscriptions(world.alice.id))

    world.store.write_now(lambda tx: tx.mailboxes.subscribe(world.alice.id, "not/there"))
    delete(world, "Junk")
    assert "not/there" in subscribed()
    assert "Junk" in subscribed()
    world.store.write_now(lambda tx: tx.mailboxes.unsubscribe(world.alice.id, "Junk"))
    assert "Junk" not in subscribed()
    with pytest.raises(NotFound):
        world.store.write_now(lambda tx: tx.mailboxes.unsubscribe(world.alice.id, "Junk"))


@pytest.mark.rfc(3501, "2.3.2")
def test_recent_is_given_once(world: World) -> None:
    def claim():
        return world.store.write_now(lambda tx: tx.mailboxes.claim_recent(world.inbox))

    world.add(b"one")
    assert claim() == (1, 2)
    assert claim() == (2, 2)
    world.add(b"two")
    assert claim() == (2, 3)


def test_what_a_large_mailbox_had_goes_in_slices(world: World, monkeypatch) -> None:
    monkeypatch.setattr("mailserver.store.purge.Purge.some.__defaults__", (3,))
    box = world.create("box")
    for n in range(10):
        world.add(b"%d" % n, box.id)
    world.expunge(box.id, [1, 2])
    seen: list[int] = []
    drain = world.store.read_now(lambda tx: type(tx.messages)).drain

    def counted(self, account, mailbox, most):
        seen.append(most)
        return drain(self, account, mailbox, most)

    monkeypatch.setattr("mailserver.store.messages.Messages.drain", counted)
    delete(world, "box")
    assert len(seen) >= 4
    assert world.account().used == 0
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []
    assert not world.store.read_now(lambda tx: tx.purge.is_needed())


@pytest.mark.rfc(5198, "2")
@pytest.mark.rfc(9051, "5.1")
@pytest.mark.parametrize(
    "name",
    [
        "a\x00",
        "a\x1fb",
        "a\x7f",
        "a\x85",
        "a\u2028b",
        "a\u2029",
        "\ufeffa",
        "a\ufeffb",
        "a\ufdd0",
        "a\uffff",
        "a\U000e0080",
        "a/\ud800",
        "a//b",
        "/a",
    ],
)
def test_names_that_no_mailbox_has(world: World, name: str) -> None:
    """Net-Unicode, without control characters, ends of lines, byte order marks and what is no character yet."""
    with pytest.raises(Cannot):
        world.store.write_now(lambda tx: tx.mailboxes.create(world.alice.id, name))
    with pytest.raises(Cannot):
        world.store.write_now(lambda tx: tx.mailboxes.rename(world.alice.id, "Archive", name))


def test_names_that_a_mailbox_may_have(world: World) -> None:
    for name in ("R&D", "100%", "a*b", "日本語", "😀", "\ue000 private", "Zo\u0308e"):
        made = world.store.write_now(
            lambda tx, name=name: tx.mailboxes.create(world.alice.id, name)
        )
        assert made.name == unicodedata.normalize("NFC", name)
