"""The client engine, as RFCs print sessions: what it says to which reply, and what it reports of each recipient."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.smtp import client_capabilities
from mailserver.smtp.client_content import Stuffer
from mailserver.smtp.client_envelope import orcpt, rcpt, xtext
from mailserver.smtp.client_replies import TEXT_SIZE, Heard, ReplyReader
from mailserver.smtp.data import Content
from mailserver.smtp.outgoing import Rcpt
from mailserver.smtp.reply import Reply
from smtp.sender import Sender
from smtp.stuffed import stuff
from transcript import play, transcripts

SCRIPTS = [
    pytest.param(script, chop, id=f"{script.stem}-{chop or 'whole'}")
    for script in transcripts("smtp/client")
    for chop in (0, 1, 7)
    # what else comes together with a reply is seen only if it does
    if not chop or script.stem not in ("starttls_injected", "unasked")
]


def swapped(text: str) -> str:
    """The transcript as the player wants it, to which the side under test is the server."""
    return "\n".join(
        ("S" if line[0] == "C" else "C") + line[1:] if line[:2] in ("C:", "S:") else line
        for line in text.split("\n")
    )


@pytest.mark.parametrize(("script", "chop"), SCRIPTS)
def test_transcript(script: Path, chop: int) -> None:
    text = script.read_text(encoding="utf-8")
    lines = text.split("\n")
    sender = Sender([line[3:] for line in lines if line.startswith("#> ")])
    play(swapped(text), sender, chop=chop)
    assert sender.results == [line[3:] for line in lines if line.startswith("#= ")]


def read(wire: bytes, step: int, limit: int = 500) -> list[Heard | str]:
    """The replies in *wire*, fed *step* octets at a time; the last is the error if there is one."""
    reader = ReplyReader(limit)
    replies: list[Heard | str] = []
    for start in range(0, len(wire), step):
        reader.receive(wire[start : start + step])
        try:
            while heard := reader.next():
                replies.append(heard)
        except PeerError:
            return [*replies, "error"]
    return replies


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
REPLIES = st.lists(
    st.builds(
        Reply,
        st.integers(200, 599),
        st.just(""),
        st.lists(TEXTS, min_size=1, max_size=4).map("\n".join),
    ),
    max_size=5,
)


@pytest.mark.rfc(5321, "4.2.1")
@given(REPLIES, st.integers(1, 9))
def test_replies_in_pieces(replies: list[Reply], step: int) -> None:
    heard = read(b"".join(map(bytes, replies)), step)
    assert heard == [
        Heard(reply.code, tuple(line.encode() for line in reply.text.split("\n")))
        for reply in replies
    ]


GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            [b"250", b"-", b" ", b"\r\n", b"\n", b"\r", b"5.1.1", b"x", b"199", b"\xff"]
        ),
        max_size=30,
    ).map(b"".join),
)


@given(GARBAGE, st.integers(1, 9))
def test_garbage_in_pieces(wire: bytes, step: int) -> None:
    at_once = read(wire, max(len(wire), 1))
    assert read(wire, step) == at_once
    for heard in at_once:
        if isinstance(heard, Heard):
            reply = heard.reply
            assert reply.text.replace("\n", "").isprintable()
            assert reply.status.startswith(str(reply.code)[0])


@given(st.binary(max_size=40), st.integers(20, 60))
def test_what_is_held_is_bounded(piece: bytes, limit: int) -> None:
    reader = ReplyReader(limit)
    try:
        for _ in range(100):
            reader.receive(piece)
            while reader.next():
                pass
            assert len(reader) <= limit
    except PeerError:
        pass


@pytest.mark.rfc(3463, "2")
@pytest.mark.parametrize(
    ("wire", "status", "text"),
    [
        (b"250 2.1.5 Fine\r\n", "2.1.5", "Fine"),
        (b"250 5.1.5 Fine\r\n", "2.0.0", "5.1.5 Fine"),
        (b"250 2.1.5\r\n", "2.1.5", ""),
        (b"550 5.1.1x No\r\n", "5.0.0", "5.1.1x No"),
        (b"550 5.1.1234 No\r\n", "5.0.0", "5.1.1234 No"),
        (b"550-5.7.1 One\r\n550-5.7.1 two\r\n550 three\r\n", "5.7.1", "One\ntwo\nthree"),
        (b"451 m\xc3\xbcde\r\n", "4.0.0", "müde"),
    ],
)
def test_status_and_text(wire: bytes, status: str, text: str) -> None:
    (heard,) = read(wire, len(wire))
    assert isinstance(heard, Heard)
    assert (heard.reply.status, heard.reply.text) == (status, text)


def test_a_long_text_is_cut() -> None:
    (heard,) = read(b"550-" + b"x" * 2_000 + b"\r\n550 y\r\n", 100, limit=5_000)
    assert isinstance(heard, Heard)
    assert len(heard.reply.text) == TEXT_SIZE


LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b".", b"..", b".x"]),
        st.binary(max_size=5).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b"")),
    ),
    max_size=10,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))


@pytest.mark.rfc(5321, "4.5.2")
@given(LINES, st.integers(1, 7))
def test_stuffing_in_pieces(content: bytes, step: int) -> None:
    stuffer = Stuffer()
    pieces = [content[start : start + step] for start in range(0, len(content), step)]
    wire = b"".join(map(stuffer.feed, pieces)) + stuffer.end()
    assert wire == stuff(content)
    reader = Content(10_000)
    assert reader.feed(wire) == (content, b"")
    assert not reader.is_bare


def test_a_last_line_without_its_end() -> None:
    stuffer = Stuffer()
    assert stuffer.feed(b"a\r\n.b") + stuffer.end() == b"a\r\n..b\r\n.\r\n"


@pytest.mark.rfc(5321, "4.1.1.1")
def test_capabilities() -> None:
    said = client_capabilities.parse(
        [
            b"mx.example says hello",
            b"size 0",
            b"8bitmime",
            b"AUTH plain",
            b"AUTH=LOGIN X-ODD",
            b"LIMITS RCPTMAX=50 mailmax=x X=1",
            b"",
            b"???",
            b"\xff\xfe",
            b"SIZE 5",
        ]
    )
    assert said.name == "mx.example"
    assert "8BITMIME" in said
    assert "???" not in said
    assert said.size is None
    assert said.mechanisms == {"PLAIN", "LOGIN", "X-ODD"}
    assert (said.rcpt_max, said.mail_max) == (50, None)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=10))
def test_any_capabilities(lines: list[bytes]) -> None:
    client_capabilities.parse(lines)


@pytest.mark.rfc(3461, "4")
@given(st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=30))
def test_xtext(text: str) -> None:
    said = xtext(text)
    assert not {" ", "="} & set(said)
    assert said.isprintable()
    assert _xtext_decoded(said) == text


def _xtext_decoded(text: str) -> str:
    first, *others = text.split("+")
    return first + "".join(chr(int(part[:2], 16)) + part[2:] for part in others)


@pytest.mark.rfc(6533, "3")
@pytest.mark.parametrize(
    ("original", "is_utf8", "said"),
    [
        ("rfc822;a+b@c.example", False, "rfc822;a+2Bb@c.example"),
        ("utf-8;ä+b\\@c.example", False, r"utf-8;\x{E4}\x{2B}b\x{5C}@c.example"),
        ("utf-8;ä+b@c.example", True, r"utf-8;ä\x{2B}b@c.example"),
        ("rfc822;ä@c.example", False, ""),  # has no form in that type
    ],
)
def test_orcpt(original: str, is_utf8: bool, said: str) -> None:
    assert orcpt(original, is_utf8=is_utf8) == said


@pytest.mark.parametrize("address", ["a@b.example>\r\nDATA", "a@b.example\n", "\x00"])
def test_an_address_never_becomes_a_command(address: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        rcpt(client_capabilities.NONE, Rcpt(address), is_utf8=False)


@pytest.mark.rfc(3463, "3.2")
def test_an_address_that_cannot_be_said() -> None:
    sender = Sender(["may", "send from= 'to=a\nb@c.example'"])
    sender(b"220 mx ESMTP\r\n")
    assert sender(b"250 mx\r\n") == b""
    assert sender.results[0].endswith(
        "mail ours 553 5.1.3 An address of this message cannot be written in SMTP"
    )
    assert sender.results[1] == "reusable"
