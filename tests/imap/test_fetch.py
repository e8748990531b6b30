r"""FETCH as a client sees it: items, \Seen, expunged and damaged messages, batches (RFC 3501 §6.4.5, §7.4.2)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap.mailroom import Mailroom, Reader
from mailserver.base.errors import PeerError, TryLater
from mailserver.base.limits import ImapLimits
from mailserver.imap.conversation import BlobRange, Read, Send, SendAndRead, Write
from mailserver.imap.fetching.plan import parse_items
from mailserver.imap.parser import Parser
from mailserver.imap.registry import FETCH_ITEMS
from mailserver.store.flags import FLAGGED, SEEN
from mailserver.store.lookup import COLUMNS
from mailserver.store.tx import Write as WriteTx

PLAIN = b"From: Ann <ann@example.org>\r\nTo: bob@example.test\r\nSubject: hi\r\n\r\nline one\r\nline two\r\n"
MIXED = (
    b"Subject: two parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntext\r\n--b--\r\n"
)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mailroom]:
    room = Mailroom(tmp_path)
    yield room
    room.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailroom]:
    """One flagged message, which nobody changes."""
    room = Mailroom(tmp_path_factory.mktemp("shelf"))
    room.put(PLAIN, FLAGGED, ["$Work"])
    yield room
    room.close()


def lines(said: bytes) -> list[bytes]:
    """The responses, their literals inside, without the last CRLF of each."""
    out, at = [], 0
    while at < len(said):
        end = at
        while True:
            end = said.index(b"\r\n", end) + 2
            m = re.search(rb"\{(\d+)\}\r\n\Z", said[at:end])
            if m is None:
                break
            end += int(m[1])
        out.append(said[at : end - 2])
        at = end
    return out


def fetched(client: Reader, items: str) -> bytes:
    """What message 1 has of *items*, between the parentheses."""
    *responses, end = lines(client.ask(f"FETCH 1 {items}"))
    assert end == b"a OK FETCH completed."
    (response,) = [r for r in responses if not r.startswith((b"* FLAGS", b"* OK [PERMANENTFLAGS"))]
    assert response.startswith(b"* 1 FETCH (")
    assert response.endswith(b")")
    return response[11:-1]


# every item

WHOLE = b"{%d}\r\n%b" % (len(PLAIN), PLAIN)
HEAD, TEXT = PLAIN[:-20], PLAIN[-20:]


@pytest.mark.rfc(3501, "6.4.5", "7.4.2")
@pytest.mark.parametrize(
    ("items", "value"),
    [
        ("FLAGS", rb"FLAGS (\Flagged $Work)"),
        ("UID", b"UID 1"),
        ("uid", b"UID 1"),
        ("RFC822.SIZE", b"RFC822.SIZE %d" % len(PLAIN)),
        ("INTERNALDATE", b'INTERNALDATE "15-Jan-2027 08:00:00 +0000"'),
        (
            "ENVELOPE",
            b'ENVELOPE (NIL "hi" (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org"))'
            b' (("Ann" NIL "ann" "example.org")) ((NIL NIL "bob" "example.test")) NIL NIL NIL NIL)',
        ),
        ("BODY", b'BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 20 2)'),
        ("BODYSTRUCTURE", b'BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 20 2 NIL NIL NIL NIL)'),
        ("BODY.PEEK[]", b"BODY[] " + WHOLE),
        ("body.peek[header]", b"BODY[HEADER] {%d}\r\n%b" % (len(HEAD), HEAD)),
        ("BODY.PEEK[TEXT]", b"BODY[TEXT] {20}\r\n" + TEXT),
        ("BODY.PEEK[1]", b"BODY[1] {20}\r\n" + TEXT),
        ("BODY.PEEK[1.MIME]", b"BODY[1.MIME] {%d}\r\n%b" % (len(HEAD), HEAD)),
        ("BODY.PEEK[2]", b"BODY[2] NIL"),
        ("BODY.PEEK[1.1]", b"BODY[1.1] NIL"),
        (
            "BODY.PEEK[header.fields (subject DATE)]",
            b"BODY[HEADER.FIELDS (subject DATE)] {15}\r\nSubject: hi\r\n\r\n",
        ),
        (
            'BODY.PEEK[HEADER.FIELDS.NOT ("From" "To")]',
            b"BODY[HEADER.FIELDS.NOT (From To)] {15}\r\nSubject: hi\r\n\r\n",
        ),
        ('BODY.PEEK[HEADER.FIELDS ("a b")]', b'BODY[HEADER.FIELDS ("a b")] {2}\r\n\r\n'),
        ("BODY.PEEK[TEXT]<5.3>", b"BODY[TEXT]<5> {3}\r\none"),
        ("BODY.PEEK[TEXT]<18.100>", b"BODY[TEXT]<18> {2}\r\n\r\n"),
        ("BODY.PEEK[TEXT]<20.1>", b"BODY[TEXT]<20> {0}\r\n"),
        ("BODY.PEEK[]<0.100000>", b"BODY[]<0> " + WHOLE),
        ("BODY.PEEK[3]<0.5>", b"BODY[3]<0> NIL"),
        ("RFC822.HEADER", b"RFC822.HEADER {%d}\r\n%b" % (len(HEAD), HEAD)),
        ("FAST", rb'FLAGS (\Flagged $Work) INTERNALDATE "15-Jan-2027 08:00:00 +0000" RFC822.SIZE %d' % len(PLAIN)),
        ("(UID UID FLAGS uid)", rb"UID 1 FLAGS (\Flagged $Work)"),
        ("(BODY.PEEK[2] UID BODY.PEEK[9])", b"UID 1 BODY[2] NIL BODY[9] NIL"),
        # the same origin, but not the same item
        ("(BODY.PEEK[TEXT]<0.1> BODY.PEEK[TEXT]<0.2>)", b"BODY[TEXT]<0> {1}\r\nl BODY[TEXT]<0> {2}\r\nli"),
    ],
)  # fmt: skip
def test_items(shelf: Mailroom, items: str, value: bytes) -> None:
    client = shelf.reader()
    said = fetched(client, items)
    assert said == value
    assert not [e for e in client.effects if isinstance(e, Write)]


@pytest.mark.rfc(3501, "6.4.5")
@pytest.mark.parametrize(
    ("macro", "items"),
    [
        ("ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE"),
        ("FAST", "FLAGS INTERNALDATE RFC822.SIZE"),
        ("full", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY"),
    ],
)
def test_macros(shelf: Mailroom, macro: str, items: str) -> None:
    assert fetched(shelf.reader(), macro) == fetched(shelf.reader(), f"({items})")


@pytest.mark.rfc(3501, "6.4.5", "9")
@pytest.mark.parametrize(
    "command",
    [
        "FETCH",
        "FETCH 1",
        "FETCH 1 ",
        "FETCH 1 ()",
        "FETCH 1 NONSENSE",
        "FETCH 1 (FLAGS",
        "FETCH 1 (FLAGS) ",
        "FETCH 1 (FLAGS  UID)",
        "FETCH 1 FLAGS UID",
        "FETCH 1 (ALL)",  # a macro stands alone
        "FETCH 1 (FLAGS FAST)",
        "FETCH 1 ALL FAST",
        "FETCH 1 BODY.PEEK",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 RFC822[]",
        "FETCH 0 FLAGS",
        "FETCH 2 FLAGS",
        "FETCH 1:2 FLAGS",
        "FETCH a FLAGS",
        "UID FETCH 1",
        "UID FETCH 0 FLAGS",
        "FETCH 1 ((FLAGS))",
    ],
)
def test_refusals(shelf: Mailroom, command: str) -> None:
    (line,) = lines(shelf.reader().ask(command))
    assert line.startswith(b"a BAD ")


@pytest.mark.rfc(3501, "6.4.8")
def test_uid_fetch(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 5)
    room.expunge(2)
    client = room.reader()
    assert lines(client.ask("UID FETCH 2:3,5,99 FLAGS")) == [
        b"* 2 FETCH (UID 3 FLAGS ())",
        b"* 4 FETCH (UID 5 FLAGS ())",
        b"a OK UID FETCH completed.",
    ]
    assert lines(client.ask("UID FETCH 2 (FLAGS UID)")) == [b"a OK UID FETCH completed."]
    assert lines(client.ask("UID FETCH 99:* (UID)"))[0] == b"* 4 FETCH (UID 5)"
    assert lines(client.ask("FETCH *,1,2,1 UID"))[:-1] == [
        b"* 1 FETCH (UID 1)",
        b"* 2 FETCH (UID 3)",
        b"* 4 FETCH (UID 5)",
    ]


def test_an_empty_mailbox(room: Mailroom) -> None:
    client = room.reader()
    assert lines(client.ask("UID FETCH 1:* FLAGS")) == [b"a OK UID FETCH completed."]
    assert client.ask("FETCH 1:* FLAGS").startswith(b"a BAD ")  # RFC 9051 §9, seq-number


def test_recent_is_among_the_flags_of_its_session(room: Mailroom) -> None:
    room.put_all([(PLAIN, SEEN, (), 0)] * 4)
    said = lines(room.reader(recent=(2, 3)).ask("FETCH 1:* FLAGS"))
    assert said[:-1] == [
        rb"* 1 FETCH (FLAGS (\Seen))",
        rb"* 2 FETCH (FLAGS (\Seen \Recent))",
        rb"* 3 FETCH (FLAGS (\Seen \Recent))",
        rb"* 4 FETCH (FLAGS (\Seen))",
    ]


# \Seen


@pytest.mark.rfc(3501, "6.4.5")
@pytest.mark.parametrize(
    "item",
    ["BODY[]", "BODY[TEXT]", "BODY[1]", "BODY[9]", "BODY[HEADER]", "BODY[HEADER.FIELDS (To)]", "BODY[]<0.1>",
     "RFC822", "RFC822.TEXT"],
)  # fmt: skip
def test_items_without_peek_set_seen(room: Mailroom, item: str) -> None:
    room.put(PLAIN)
    client, other = room.reader(), room.reader()
    assert fetched(client, item).endswith(rb" FLAGS (\Seen)")
    assert not fetched(client, item).endswith(rb" FLAGS (\Seen)")  # no news the second time
    assert lines(client.ask("FETCH 1 FLAGS"))[0] == rb"* 1 FETCH (FLAGS (\Seen))"
    assert rb"FLAGS (\Seen)" in other.ask("UID FETCH 1 UID")  # everybody else hears of it


def test_flags_asked_for_are_those_after_the_fetch(room: Mailroom) -> None:
    room.put(PLAIN, FLAGGED, ["$Work"])
    client = room.reader(recent=(1, 1))
    said = fetched(client, "(FLAGS BODY[TEXT]<0.4>)")
    assert said == rb"FLAGS (\Flagged \Seen $Work \Recent) BODY[TEXT]<0> {4}" + b"\r\nline"


def test_seen_of_many_is_one_small_transaction(room: Mailroom) -> None:
    room.put_all([(PLAIN, n % 2, (), 0) for n in range(10)])
    client = room.reader()
    said = lines(client.ask("FETCH 2:9 BODY[TEXT]<0.1>"))
    assert [rb"FLAGS (\Seen)" in line for line in said[:-1]] == [False, True] * 4
    assert len([e for e in client.effects if isinstance(e, Write)]) == 1
    assert len(said) == 9  # nothing is told twice


@pytest.mark.rfc(3501, "6.3.2")
def test_examine_sets_nothing(room: Mailroom) -> None:
    room.put(PLAIN)
    client = room.reader(read_only=True)
    assert fetched(client, "BODY[TEXT]<0.1>") == b"BODY[TEXT]<0> {1}\r\nl"
    assert lines(client.ask("FETCH 1 FLAGS"))[0] == b"* 1 FETCH (FLAGS ())"
    assert not [e for e in client.effects if isinstance(e, Write)]


def test_a_full_disk_keeps_no_mail_unread(room: Mailroom) -> None:
    room.put(PLAIN)
    client = room.reader()
    client.fails_to_write = TryLater("The disk is full.")
    assert fetched(client, "BODY[TEXT]<0.1>") == b"BODY[TEXT]<0> {1}\r\nl"
    client.fails_to_write = None
    assert fetched(client, "BODY[TEXT]<0.1>").endswith(rb" FLAGS (\Seen)")


def test_changes_by_others_come_with_our_own(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 3)
    client = room.reader()
    room.write(lambda tx: tx.messages.change_flags(room.inbox, [2], "add", FLAGGED))
    said = lines(client.ask("FETCH 1 BODY[TEXT]<0.1>"))
    assert said == [
        b"* 1 FETCH (BODY[TEXT]<0> {1}\r\nl FLAGS (\\Seen))",
        rb"* 2 FETCH (UID 2 FLAGS (\Flagged))",
        b"a OK FETCH completed.",
    ]


def test_keywords_are_announced_before_they_are_used(room: Mailroom) -> None:
    room.put(PLAIN, 0, ["$New"])
    said = lines(room.reader().ask("FETCH 1 FLAGS"))
    assert said[0].startswith(b"* FLAGS (")
    assert b"$New" in said[0]
    assert said[-2] == b"* 1 FETCH (FLAGS ($New))"


# messages that go, or are broken


@pytest.mark.rfc(5530, "3")
def test_expunged_by_another_session(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 4)
    client = room.reader()
    room.expunge(2, 4)
    said = lines(client.ask("FETCH 1:4 UID"))
    assert said[:2] == [b"* 1 FETCH (UID 1)", b"* 3 FETCH (UID 3)"]
    assert said[2].startswith(b"a NO [EXPUNGEISSUED] ")
    # an UID that is gone is one that is not there, and here the client may be told (RFC 3501 §6.4.8, §7.4.1)
    said = lines(client.ask("UID FETCH 1:4 UID"))
    assert said[:2] == [b"* 1 FETCH (UID 1)", b"* 3 FETCH (UID 3)"]
    assert said[2:4] == [b"* 4 EXPUNGE", b"* 2 EXPUNGE"]
    assert said[4] == b"a OK UID FETCH completed."


def test_expunged_between_two_batches(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 1_003)
    client = room.reader()

    def expunge_once(effect: object) -> None:
        if isinstance(effect, Read):
            client.after = lambda _effect: None
            room.expunge(1, 1_001)

    client.after = expunge_once
    said = lines(client.ask("FETCH 1:* UID"))
    assert len(said) == 1_003
    assert b"* 1 FETCH (UID 1)" in said  # read before it went
    assert b"* 1001 FETCH (UID 1001)" not in said
    assert said[-1].startswith(b"a NO [EXPUNGEISSUED] ")


@pytest.mark.rfc(5530, "3")
def test_a_damaged_message_hides_no_other(room: Mailroom, tmp_path: Path) -> None:
    room.threshold = 10
    room.put_all([(PLAIN + b"%d\r\n" % n, 0, (), 0) for n in range(3)])
    (damaged,) = [f for f in (tmp_path / "blobs").rglob("*.*") if f.read_bytes().endswith(b"1\r\n")]
    whole = damaged.read_bytes()
    client = room.reader()
    damaged.write_bytes(
        whole.replace(b"one", b"two")
    )  # as long as before, so only the whole can tell
    assert len(lines(client.ask("FETCH 1:3 BODY.PEEK[]"))) == 3
    damaged.write_bytes(b"short")
    said = lines(client.ask("FETCH 1:3 (UID BODY.PEEK[TEXT]<0.1>)"))
    assert [line[:6] for line in said[:-1]] == [b"* 1 FE", b"* 3 FE"]
    assert said[-1].startswith(b"a NO [CORRUPTION] ")
    assert len(lines(client.ask("FETCH 1:3 (FLAGS ENVELOPE)"))) == 4


@pytest.mark.parametrize("threshold", [10, 131_072])
@pytest.mark.parametrize(
    ("item", "name", "text"),
    [
        ("BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "BODY[HEADER.FIELDS (SUBJECT)]", "Subject: x\r\n\r\n"),
        ("BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]", "BODY[HEADER.FIELDS.NOT (SUBJECT)]", "To: y\r\n\r\n"),
        ("RFC822.HEADER", "RFC822.HEADER", "Subject: x\r\nTo: y\r\n\r\n"),
        ("BODY.PEEK[HEADER]<0.4>", "BODY[HEADER]<0>", "Subj"),
    ],
)  # fmt: skip
def test_headers_of_bodies_in_rows_and_in_files(
    room: Mailroom, threshold: int, item: str, name: str, text: str
) -> None:
    room.threshold = threshold
    head = b"Subject: x\r\nTo: y\r\n\r\n"
    room.put_all([(head + b"text\r\n", 0, (), 0), (head, 0, (), 0)])
    said = room.reader().ask(f"FETCH 1:2 {item}")
    for n in (1, 2):
        assert (
            b"* %d FETCH (%b {%d}\r\n%b)\r\n" % (n, name.encode(), len(text), text.encode()) in said
        )


def test_a_damaged_row_is_not_told_as_a_whole(room: Mailroom) -> None:
    for n in range(3):
        room.put(b"Subject: x\r\n\r\nbody %d\r\n" % n)
    room.write(
        lambda tx: tx.blobs._db.run(
            "UPDATE blob SET data = CAST(replace(data, 'body 1', 'BODY 1') AS BLOB)"
        )
    )
    said = room.reader().ask("FETCH 1:* (BODY.PEEK[] RFC822.PEEK)")
    assert b"* 1 FETCH (BODY[] {" in said
    assert b"* 2 FETCH" not in said
    assert b"body 2\r\n RFC822 {" in said
    assert b"a NO [CORRUPTION]" in said


def test_the_header_of_a_damaged_row_is_not_told(room: Mailroom) -> None:
    room.put(b"Subject: x\r\n\r\ntext\r\n")
    room.put(b"Subject: all header\r\n\r\n")
    client = room.reader()

    def spoil(tx: WriteTx) -> None:
        db = tx.messages._db
        db.run("UPDATE blob SET data = x'53' WHERE id = 1")
        db.run("UPDATE blob SET data = CAST(replace(data, 'all', 'ALL') AS BLOB) WHERE id = 2")

    room.write(spoil)
    said = lines(client.ask("FETCH 1:2 BODY.PEEK[HEADER.FIELDS (SUBJECT)]"))
    assert len(said) == 1
    assert said[0].startswith(b"a NO [CORRUPTION] ")


def test_a_file_that_is_gone_counts_as_expunged(room: Mailroom, tmp_path: Path) -> None:
    room.threshold = 10
    room.put(PLAIN)
    for file in (tmp_path / "blobs").rglob("*.*"):
        if file.is_file():
            file.unlink()
    client = room.reader()
    assert client.ask("FETCH 1 BODY.PEEK[TEXT]").startswith(b"a NO [EXPUNGEISSUED] ")


# batches


def test_a_long_answer_comes_in_batches(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 2_500)
    client = room.reader()
    said = lines(client.ask("FETCH 1:* (UID FLAGS RFC822.SIZE)"))
    assert said[:-1] == [
        b"* %d FETCH (UID %d FLAGS () RFC822.SIZE %d)" % (n, n, len(PLAIN)) for n in range(1, 2_501)
    ]
    assert [type(e) for e in client.effects[:4]] == [Read, SendAndRead, SendAndRead, Send]


def test_batches_are_bounded_in_octets(room: Mailroom) -> None:
    big = b"Subject: big\r\n\r\n" + b"x" * 60_000
    room.put_all([(big, 0, (), 0)] * 60)
    client = room.reader()
    said = lines(client.ask("FETCH 1:60 BODY.PEEK[]"))
    assert len(said) == 61
    assert all(line.endswith(b"x" * 60_000 + b")") for line in said[:-1])
    sent = [sum(map(len, e.chunks)) for e in client.effects if isinstance(e, Send | SendAndRead)]
    assert max(sent) < 1_048_576 + 2 * 60_000
    assert len(sent) >= 4


def test_batches_of_long_values_are_bounded_too(room: Mailroom) -> None:
    long = b"To: " + b",\r\n ".join(b"a%04d@example.org" % n for n in range(4_000)) + b"\r\n\r\n"
    room.put_all([(long, 0, (), 0)] * 30)
    client = room.reader()
    said = lines(client.ask("FETCH 1:* (UID ENVELOPE)"))
    assert len(said) == 31
    size = len(said[0])
    assert size > 100_000
    sent = [sum(map(len, e.chunks)) for e in client.effects if isinstance(e, Send | SendAndRead)]
    assert max(sent) < 1_048_576 + 2 * size
    assert len(sent) >= 4


def test_what_a_command_may_ask_for_is_bounded(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 300)
    client = room.reader()
    parts = [f"BODY.PEEK[{n}]" for n in range(2, 501)]
    said = client.ask(f"FETCH 1:* (UID {' '.join(parts)})")
    assert said.count(b"NIL") == 300 * 499
    assert (
        len([e for e in client.effects if isinstance(e, Read | SendAndRead)]) >= 4
    )  # names are octets too
    assert client.ask(f"FETCH 1 (UID {' '.join(parts)} FLAGS)").startswith(b"a BAD ")


def test_octets_that_are_read_count_even_if_few_are_sent(room: Mailroom) -> None:
    long = b"".join(b"X-%d: %b\r\n" % (n, b"x" * 900) for n in range(300)) + b"\r\n"
    room.put_all([(long, 0, (), 0)] * 20)
    client = room.reader()
    said = lines(client.ask("FETCH 1:* BODY.PEEK[HEADER.FIELDS (X-7)]<0.4>"))
    assert said[0] == b"* 1 FETCH (BODY[HEADER.FIELDS (X-7)]<0> {4}\r\nX-7:)"
    assert len([e for e in client.effects if isinstance(e, Read | SendAndRead)]) >= 5


def test_scattered_messages(room: Mailroom) -> None:
    room.put_all([(PLAIN, 0, (), 0)] * 40)
    room.expunge(*range(3, 30, 4))
    client = room.reader()
    wanted = [1, 4, 5, 9, 20, 21, 33]
    said = lines(client.ask(f"FETCH {','.join(map(str, wanted))} UID"))
    uids = client.session.view.uids
    assert said[:-1] == [b"* %d FETCH (UID %d)" % (n, uids[n - 1]) for n in wanted]


@pytest.mark.parametrize("threshold", [10, 10_000_000])
def test_large_pieces_are_streamed(room: Mailroom, threshold: int) -> None:
    room.threshold = threshold
    room.put(b"Subject: large\r\n\r\n" + b"0123456789" * 20_000)
    client = room.reader()
    said = client.ask("FETCH 1 (UID BODY.PEEK[TEXT]<5.150000> BODY.PEEK[HEADER])")
    assert said == (
        b"* 1 FETCH (UID 1 BODY[TEXT]<5> {150000}\r\n" + b"5678901234" * 15_000
        + b" BODY[HEADER] {18}\r\nSubject: large\r\n\r\n)\r\na OK FETCH completed.\r\n"
    )  # fmt: skip
    ranges = [
        c
        for e in client.effects
        if isinstance(e, Send)
        for c in e.chunks
        if isinstance(c, BlobRange)
    ]
    assert [(r.offset, r.length) for r in ranges] == [(18 + 5, 150_000)]


def test_octets_are_sent_as_they_are_stored(room: Mailroom) -> None:
    raw = bytes(range(256)) + b"\n\nno\rreal\nline ends\0"
    room.put(raw)
    room.put(b"")
    client = room.reader()
    assert fetched(client, "BODY.PEEK[]") == b"BODY[] {%d}\r\n%b" % (len(raw), raw)
    said = lines(client.ask("FETCH 2 (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1])"))
    assert said[0] == (
        b"* 2 FETCH (BODY[] {0}\r\n BODY[HEADER] {0}\r\n BODY[TEXT] {0}\r\n BODY[1] {0}\r\n)"
    )


def test_parts_of_an_embedded_message(room: Mailroom) -> None:
    room.put(MIXED)
    said = fetched(
        room.reader(), "(BODY.PEEK[2.HEADER] BODY.PEEK[2.1] BODY.PEEK[2.TEXT] BODY.PEEK[1.HEADER])"
    )
    assert said == (
        b"BODY[2.HEADER] {18}\r\nSubject: inner\r\n\r\n BODY[2.1] {4}\r\ntext"
        b" BODY[2.TEXT] {4}\r\ntext BODY[1.HEADER] NIL"
    )


def test_the_item_table_is_true() -> None:
    """Every column that an item names can be asked for."""
    for item in FETCH_ITEMS.values():
        assert set(item.needs) <= set(COLUMNS)


@given(st.binary(max_size=60))
def test_garbage_is_refused(wire: bytes) -> None:
    p = Parser(wire, ImapLimits())
    try:
        plan = parse_items(p)
    except PeerError:
        return
    assert plan.values or plan.cuts


WORDS = st.sampled_from(
    ["FLAGS", "uid", "BODY", "BODY[", "]", "1.", "HEADER", "<0.1>", "(", ")", " ", "ALL", "TEXT"]
)


@given(st.lists(WORDS, max_size=10).map("".join))
def test_whatever_is_read_can_be_answered(shelf: Mailroom, items: str) -> None:
    client = shelf.reader(read_only=True)
    said = lines(client.ask(f"FETCH 1 {items}"))
    assert said[-1].startswith((b"a OK ", b"a BAD "))
    assert said[-1].startswith(b"a BAD ") or any(line.startswith(b"* 1 FETCH (") for line in said)
