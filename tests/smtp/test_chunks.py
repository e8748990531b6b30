"""Content in chunks: whatever the chunks and the pieces they come in, it is what DATA would have brought."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.limits import SmtpLimits
from mailserver.smtp import events, replies
from mailserver.smtp.chunks import announced
from mailserver.smtp.commands import State
from mailserver.smtp.reply import Reply
from mailserver.smtp.server import Connection
from mailserver.smtp.service import Kind, Service
from smtp.desk import BINARY, MX, Desk
from smtp.stuffed import stuff

ENVELOPE = b"EHLO a.example\r\nMAIL FROM:<a@b.example>%s\r\nRCPT TO:<alice@example.test>\r\n"
LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b"QUIT", b"BDAT 5 LAST", b"\xff\x00", b"Subject: x"])
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
SOUP = st.text("\r\n.a", max_size=40).map(str.encode)


def chunked(content: bytes, cuts: list[int], *, is_closed: bool) -> bytes:
    """*content* as BDAT commands, cut at *cuts*; is_closed: an empty chunk ends it."""
    ends = sorted({cut % (len(content) + 1) for cut in cuts} | {len(content)})
    wire, begin = b"", 0
    for end in ends:
        last = b" LAST" if end == len(content) and not is_closed else b""
        wire += b"BDAT %d%s\r\n%s" % (end - begin, last, content[begin:end])
        begin = end
    return wire + (b"BDAT 0 LAST\r\n" if is_closed else b"")


def fed(desk: Desk, wire: bytes, chop: int) -> bytes:
    """What the desk says to *wire* in pieces."""
    step = chop or len(wire)
    return b"".join(desk(wire[i : i + step]) for i in range(0, len(wire), step))


@given(LINES, st.lists(st.integers(0, 10_000), max_size=6), st.booleans(), st.integers(0, 9))
@pytest.mark.rfc(3030, "2")
def test_any_chunks_are_the_same_message(
    content: bytes, cuts: list[int], is_closed: bool, chop: int
) -> None:
    one, other = Desk(MX), Desk(MX)
    fed(one, ENVELOPE % b"" + chunked(content, cuts, is_closed=is_closed), chop)
    fed(other, ENVELOPE % b"" + b"DATA\r\n" + stuff(content), chop)
    assert one.messages == other.messages
    assert one.messages[0][2] == content


@given(SOUP, st.lists(st.integers(0, 100), max_size=6), st.booleans(), st.integers(0, 9))
@pytest.mark.rfc(5321, "2.3.8")
def test_lone_returns_and_feeds_make_it_void_in_any_chunks(
    content: bytes, cuts: list[int], is_closed: bool, chop: int
) -> None:
    desk = Desk(MX)
    heard = fed(desk, ENVELOPE % b"" + chunked(content, cuts, is_closed=is_closed), chop)
    rest = content.replace(b"\r\n", b"")
    is_bare = b"\r" in rest or b"\n" in rest
    assert bool(desk.messages) is not is_bare
    assert (bytes(replies.BARE_CONTENT) in heard) is is_bare
    assert desk.connection.state is State.READY
    assert desk(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"


@given(st.binary(max_size=200), st.lists(st.integers(0, 300), max_size=6), st.integers(0, 9))
@pytest.mark.rfc(3030, "3")
def test_binary_content_keeps_every_octet(content: bytes, cuts: list[int], chop: int) -> None:
    desk = Desk(BINARY)
    fed(desk, ENVELOPE % b" BODY=BINARYMIME" + chunked(content, cuts, is_closed=False), chop)
    assert desk.messages[0][2] == content


@pytest.mark.rfc(3030, "2")
@pytest.mark.parametrize("chop", [0, 1, 3])
def test_a_refusal_of_the_first_chunk_comes_behind_its_octets(chop: int) -> None:
    connection = Connection(MX, is_tls=False, cleartext=False)
    wire = ENVELOPE % b"" + b"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"
    seen: list[events.Event] = []
    step = chop or len(wire)
    for i in range(0, len(wire), step):
        connection.receive(wire[i : i + step])
        while event := connection.next():
            seen.append(event)
            match event:
                case events.Mail() | events.Recipient():
                    connection.answer(Reply(250, "2.0.0", "OK"))
                case events.Data():
                    connection.answer(Reply(452, "4.3.1", "No room"))
                case events.Chunk():
                    assert event.fault is not None
                    connection.answer(event.fault)
    assert connection.output().endswith(
        b"452 4.3.1 No room\r\n503 5.5.1 MAIL and RCPT come before BDAT\r\n250 2.0.0 OK\r\n"
    )
    assert not any(isinstance(event, events.Content) for event in seen)


def test_a_disk_that_fails_between_chunks_ends_the_transaction() -> None:
    connection = Connection(MX, is_tls=False, cleartext=False)
    connection.receive(ENVELOPE % b"" + b"BDAT 2\r\n\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n")
    while event := connection.next():
        match event:
            case events.Mail() | events.Recipient():
                connection.answer(Reply(250, "2.0.0", "OK"))
            case events.Data():
                connection.answer(replies.GO_AHEAD)
            case events.Chunk():
                connection.answer(Reply(452, "4.3.1", "No room"))
            case events.EndOfData():
                pytest.fail("half a message was taken for a whole one")
    assert connection.output().endswith(
        b"452 4.3.1 No room\r\n503 5.5.1 MAIL and RCPT come before BDAT\r\n250 2.0.0 OK\r\n"
    )


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("0", (0, False)),
        ("86 LAST", (86, True)),
        ("007 last", (7, True)),
        ("5  LAST", (5, True)),
        ("99999999999999999999", (99999999999999999999, False)),
        ("", None),
        ("LAST", None),
        ("-1", None),
        ("+1", None),
        ("0x10", None),
        ("1 FIRST", None),
        ("1 LAST 2", None),
        ("1\tLAST", None),
        ("\u0661 LAST", None),
        ("123456789012345678901", None),
    ],
)
def test_what_a_chunk_announces(argument: str, said: tuple[int, bool] | None) -> None:
    assert announced(argument) == said


def test_the_smallest_chunks_cost_no_more_than_their_number() -> None:
    """One octet a chunk, 200 kB at once: no copy of the rest for each of them."""
    service = Service("mx", Kind.MX, has_tls=False, limits=SmtpLimits(message_size=1_000_000))
    desk = Desk(service)
    wire = b"BDAT 1\r\nx" * 20_000 + b"BDAT 0 LAST\r\n"
    heard = desk(ENVELOPE % b"" + wire)
    assert heard.endswith(b"Taken, 20000 octets\r\n")
