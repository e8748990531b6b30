r"""What is known of whole mailboxes' flags says the same as the rows, whatever happens to them meanwhile.

RFC 3501 §6.4.5, §2.3.2.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.mailroom import Mailroom, Reader
from mailserver.base.ids import AccountId, MailboxId, ModSeq, Uid, UidValidity
from mailserver.base.limits import ImapLimits
from mailserver.imap.conversation import Read
from mailserver.imap.fetching import known_flags
from mailserver.imap.fetching.item import FlagSets, flag_sets
from mailserver.imap.fetching.known_flags import KnownFlags, MailboxFlags
from mailserver.imap.searching import run, scan
from mailserver.imap.searching.bits import pack
from mailserver.imap.searching.flag_sets import matching, verdicts

PLAIN = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mailroom]:
    made = Mailroom(tmp_path)
    yield made
    made.close()


def told(client: Reader, items: str = "UID FLAGS", which: str = "1:*") -> dict[int, bytes]:
    said = client.ask(f"UID FETCH {which} ({items})")
    assert said.endswith(b"a OK UID FETCH completed.\r\n")
    return {int(m[1]): m[2] for m in re.finditer(rb"UID (\d+) FLAGS \(([^)]*)\)", said)}


def found(client: Reader, key: str) -> list[int]:
    first, _, end = client.ask(f"UID SEARCH {key}").partition(b"\r\n")
    assert end.endswith(b"a OK UID SEARCH completed.\r\n")
    return [int(uid) for uid in first.split()[2:]]


KEYS: dict[str, Callable[[bytes], bool]] = {
    "SEEN": lambda flags: b"\\Seen" in flags,
    "UNSEEN": lambda flags: b"\\Seen" not in flags,
    "OR DELETED NOT KEYWORD blue": lambda flags: (
        b"\\Deleted" in flags or b"blue" not in flags.lower()
    ),
    "UNDRAFT KEYWORD $junk 1:*": lambda flags: b"\\Draft" not in flags and b"$Junk" in flags,
}

change = st.one_of(
    st.tuples(
        st.sampled_from(["add", "remove", "replace"]),
        st.sets(st.integers(1, 30), max_size=6),
        st.integers(0, 31),
        st.sets(st.sampled_from(["blue", "$Junk", "Blue"]), max_size=2),
    ),
    st.tuples(st.just("put"), st.integers(1, 3)),
    st.tuples(st.just("gone"), st.sets(st.integers(1, 30), max_size=3)),
    st.tuples(st.just("look"), st.just(0)),
)


@settings(max_examples=25, deadline=None)
@given(changes=st.lists(change, max_size=14))
def test_it_says_what_the_rows_say(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple]
) -> None:
    room = Mailroom(tmp_path_factory.mktemp("room"))
    try:
        room.put_all([(PLAIN, 0, (), 0)] * 5)
        client = room.reader()
        for what, *how in [*changes, ("look", 0)]:
            if what == "put":
                room.put_all([(PLAIN, 1, ("$Junk",), 0)] * how[0])
            elif what == "gone":
                room.expunge(*sorted(how[0]))
            elif what == "look":
                client.ask("NOOP")
                # RFC822.SIZE is no flag, so these come out of the rows
                rows = told(client, "UID FLAGS RFC822.SIZE")
                assert told(client) == rows
                for key, test in KEYS.items():
                    assert found(client, key) == [uid for uid, flags in rows.items() if test(flags)]
            else:
                uids, bits, words = [Uid(n) for n in sorted(how[0])], how[1], sorted(how[2])
                room.write(
                    lambda tx, w=what, u=uids, b=bits, k=words: tx.messages.change_flags(
                        room.inbox, u, w, b, k
                    )
                )
    finally:
        room.close()


def test_asking_again_reads_no_rows(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 5)
    client = room.reader()
    assert told(client) == dict.fromkeys(range(1, 6), b"")
    monkeypatch.setattr(known_flags, "_read_all", None)
    assert told(client) == dict.fromkeys(range(1, 6), b"")
    client.ask(r"STORE 2 +FLAGS.SILENT (\Seen blue)")
    room.expunge(4)
    room.put(PLAIN, flags=4)
    assert told(client) == {1: b"", 2: b"\\Seen blue", 3: b"", 5: b""}  # 4: not told of yet
    client.ask("NOOP")
    assert told(client) == {1: b"", 2: b"\\Seen blue", 3: b"", 5: b"", 6: b"\\Flagged \\Recent"}


def test_a_few_of_many_are_read_from_their_rows(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 9)
    client = room.reader()
    assert told(client, which="1:2") == {1: b"", 2: b""}
    assert room.server.known_flags._kept == {}
    assert told(client, which="1,3,7") == {1: b"", 3: b"", 7: b""}
    assert len(room.server.known_flags._kept) == 1


def test_recent_is_the_session_s_own(room: Mailroom) -> None:
    room.put_all([(PLAIN, 1, (), 0)] * 5)
    one, two = room.reader(recent=(2, 3)), room.reader()
    seen, recent = b"\\Seen", b"\\Seen \\Recent"
    assert told(one) == {1: seen, 2: recent, 3: recent, 4: seen, 5: seen}
    assert told(two) == dict.fromkeys(range(1, 6), seen)
    assert told(one, which="2,4,5") == {2: recent, 4: seen, 5: seen}


def test_what_is_gone_is_told_where_it_has_a_number(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 4)
    client = room.reader()
    room.expunge(2)
    said = client.ask("FETCH 1:4 FLAGS").splitlines()
    assert said[:-1] == [b"* %d FETCH (FLAGS ())" % n for n in (1, 3, 4)]
    assert said[-1].startswith(b"a NO [EXPUNGEISSUED] ")


def test_new_keywords_are_announced_first(room: Mailroom) -> None:
    room.put(PLAIN)
    client = room.reader()
    room.write(lambda tx: tx.messages.change_flags(room.inbox, [Uid(1)], "add", 0, ["blue"]))
    said = client.ask("FETCH 1 FLAGS").splitlines()
    assert said[0].startswith(b"* FLAGS (")
    assert said[0].endswith(b" blue)")
    assert said[2] == b"* 1 FETCH (FLAGS (blue))"


def test_long_keywords_make_small_batches(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailserver.imap.commands.fetch.ROWS", 2)
    room.put_all([(PLAIN, 0, (), 0)] * 5)
    client = room.reader()
    assert len(told(client)) == 5
    assert len([e for e in client.effects if isinstance(e, Read)]) == 1
    room.put(PLAIN, keywords=["k" * 60, "l" * 60])
    client.ask("NOOP")
    assert len(told(client)) == 6
    assert len([e for e in client.effects if isinstance(e, Read)]) == 3


def test_too_many_kinds_are_not_kept(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_flags, "KINDS", 3)
    room.put_all([(PLAIN, n, (), 0) for n in range(4)])
    client = room.reader()
    rows = {1: b"", 2: b"\\Seen", 3: b"\\Answered", 4: b"\\Answered \\Seen"}
    assert told(client) == rows
    assert room.server.known_flags._kept == {}
    client.ask("STORE 4 FLAGS.SILENT ()")
    assert told(client) == rows | {4: b""}
    assert len(room.server.known_flags._kept) == 1
    client.ask(r"STORE 4 FLAGS.SILENT (\Draft)")
    assert told(client) == rows | {4: b"\\Draft"}


def test_nothing_is_known_of_the_mailboxes_of_others(room: Mailroom) -> None:
    room.put(PLAIN)
    known = KnownFlags()
    own, other = room.account.id, AccountId(room.account.id + 1)
    assert room.store.read_now(lambda tx: known.read(tx, room.inbox, own)) is not None
    assert room.store.read_now(lambda tx: known.read(tx, room.inbox, other)) is None
    assert room.store.read_now(lambda tx: known.read(tx, MailboxId(999), own)) is None


def test_the_one_asked_about_longest_ago_goes_first() -> None:
    known = KnownFlags()

    def flags(count: int) -> MailboxFlags:
        uids = array("I", range(1, count + 1))
        return MailboxFlags(UidValidity(1), ModSeq(1), uids, array("H", [0] * count), [(0, "")])

    for mailbox, count in ((1, 4), (2, 4), (1, 5), (3, 3)):
        known.keep(MailboxId(mailbox), flags(count), 10)
    assert (list(known._kept), known._held) == ([1, 3], 8)
    known.keep(MailboxId(4), flags(11), 10)
    assert (list(known._kept), known._held) == ([], 0)


def test_how_much_is_known_is_a_setting(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 3)
    client = room.reader()
    room.server.limits = ImapLimits(flagged_messages=2)
    assert told(client) == dict.fromkeys((1, 2, 3), b"")
    assert room.server.known_flags._kept == {}


@pytest.mark.rfc(3501, "6.4.4")
def test_a_search_by_flags_reads_no_rows(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put_all([(PLAIN, n % 2, ("blue",) * (n % 3 == 0), 0) for n in range(12)])
    client = room.reader()
    assert found(client, "SEEN") == [2, 4, 6, 8, 10, 12]
    assert list(room.server.known_flags._kept) == [room.inbox]
    monkeypatch.setattr(known_flags, "_read_all", None)
    monkeypatch.setattr(run, "ROWS", 5)
    monkeypatch.setattr(scan.Scan, "_rows", None)
    assert found(client, "UNSEEN KEYWORD BLUE") == [1, 7]
    client.ask(r"STORE 7 +FLAGS.SILENT (\Seen)")
    room.expunge(2)
    room.put(PLAIN, flags=1)
    assert found(client, "SEEN") == [4, 6, 7, 8, 10, 12]  # 2 is gone, 13 has not been told of
    assert found(client, "NOT UNSEEN") == [4, 6, 7, 8, 10, 12, 13]
    assert found(client, "NOT UID 12") == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]


def test_a_search_of_a_few_messages_does_not_read_all_flags(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.put_all([(PLAIN, n % 2, (), 0) for n in range(12)])
    client = room.reader()
    monkeypatch.setattr(known_flags, "_read_all", None)
    assert found(client, "UID 3:4 SEEN") == [4]
    monkeypatch.setattr(run, "ROWS", 5)
    assert found(client, "UID 3:4 SEEN") == [4]
    assert room.server.known_flags._kept == {}


def test_a_search_by_more_kinds_of_flags_than_an_octet_counts(room: Mailroom) -> None:
    room.put_all([(PLAIN, n & 31, (f"k{n // 32}",), 0) for n in range(400)])
    client = room.reader()
    assert found(client, "SEEN KEYWORD k11") == [n + 1 for n in range(352, 384) if n & 1]
    (known,) = room.server.known_flags._kept.values()
    assert len(known.kinds) == 400


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "a b"]))))
def test_each_set_of_flags_is_asked_about_once(kinds: list[tuple[int, str]]) -> None:
    sets = flag_sets([flags for flags, _ in kinds], [words for _, words in kinds])
    asked: list[tuple[int, str]] = []

    def test(flags: int, words: str) -> bool:
        asked.append((flags, words))
        return flags > 1 or "b" in words

    expected = [flags > 1 or "b" in words for flags, words in kinds]
    assert verdicts(sets, test) == expected
    assert len(asked) == len(set(kinds))
    in_array = FlagSets(sets.kinds, array("H", list(sets.which)))
    assert matching(sets, test) == matching(in_array, test) == pack(expected)
