"""The engine under all kinds of input: pieces, garbage, smuggling, limits that no transcript shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.limits import SmtpLimits
from mailserver.smtp import events, replies
from mailserver.smtp.commands import State
from mailserver.smtp.reply import Reply
from mailserver.smtp.server import Connection
from mailserver.smtp.service import Kind, Service
from smtp.desk import BINARY, LMTP, MX, SMALL, SUBMISSION, Desk

WORDS = st.sampled_from(
    [
        b"EHLO a.example", b"HELO a", b"EHLO [", b"RSET", b"NOOP", b"VRFY x", b"HELP", b"QUIT", b"BDAT 5 LAST",
        b"BDAT 3", b"BDAT 0 LAST", b"BDAT 0", b"BDAT x", b"LHLO a",
        b"MAIL FROM:<a@b.example>", b"MAIL FROM:<> SIZE=10", b"mail from:<m\xc3\xbc@b>", b"STARTTLS",
        b"RCPT TO:<alice@example.test>", b"RCPT TO:<x@example.test>", b"RCPT TO:<Postmaster>", b"DATA",
        b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH PLAIN AGFsaWNlAHNlY3JldA==", b"AGFsaWNlAHNlY3JldA==", b"*",
        b".", b"..", b"Subject: x", b"", b"GET / HTTP/1.1", b"\xff", b"\x00", b"x" * 70,
    ]
)  # fmt: skip
ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"", b" \r\n"])
SESSION = st.lists(st.tuples(WORDS, ENDS).map(b"".join), max_size=25).map(b"".join)
SERVICES = st.sampled_from([MX, BINARY, LMTP, SUBMISSION, SMALL])


def wait_for(connection: Connection, kind: type[events.Event]) -> None:
    """Until such an event comes."""
    while not isinstance(connection.next(), kind):
        pass


def without_starttls(wire: bytes) -> bytes:
    """What is pipelined behind STARTTLS is discarded, so pieces would matter."""
    return wire.replace(b"STARTTLS", b"NOOP")


def lines_only(wire: bytes) -> bytes:
    """Neither STARTTLS nor chunks."""
    return without_starttls(wire).replace(b"BDAT", b"EXPN")


@given(SERVICES, SESSION, st.integers(1, 9), st.booleans())
def test_pieces_do_not_matter(service: Service, wire: bytes, chop: int, cleartext: bool) -> None:
    wire = without_starttls(wire)
    one, other = Desk(service, cleartext=cleartext), Desk(service, cleartext=cleartext)
    at_once = one(wire)
    in_pieces = other(b"") + b"".join(other(wire[i : i + chop]) for i in range(0, len(wire), chop))
    assert in_pieces == at_once
    assert other.messages == one.messages
    assert other.closed == one.closed


@given(SERVICES, st.one_of(st.binary(max_size=200), SESSION), st.booleans())
def test_garbage_gets_replies_and_never_raises(service: Service, wire: bytes, is_tls: bool) -> None:
    heard = Desk(service, is_tls=is_tls)(wire)
    for line in heard.split(b"\r\n")[:-1]:
        assert line[:1] in b"2345"
        assert line[:3].isdigit()
        assert line[3:4] in b" -"
        assert line.isascii()
    assert heard.endswith(b"\r\n")


@given(SESSION)
def test_one_reply_to_each_line(wire: bytes) -> None:
    """RFC 5321 §4.2: every command gets exactly one reply, pieces of content none."""
    desk = Desk(MX)
    *lines, _ = lines_only(wire).split(b"\r\n")
    for line in lines:
        if desk.closed:
            break
        was_in_data = desk.connection.in_data
        heard = desk(line + b"\r\n")
        final = [r for r in heard.split(b"\r\n") if r[3:4] == b" "]
        greeting = heard.startswith(b"220")
        if was_in_data and desk.connection.in_data:
            assert not final
        else:
            assert len(final) == 1 + greeting


SMUGGLED = (
    b"MAIL FROM:<evil@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
    b"From: boss@example.test\r\n\r\nforged\r\n.\r\n"
)
VARIANTS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n", b"\n\n.\n\n", b"\r\n.\n\r\n", b"\n\r.\n\r",
]  # fmt: skip


@pytest.mark.rfc(5321, "4.1.1.4", "2.3.8")
@pytest.mark.parametrize("chop", [0, 1, 3, 16])
@pytest.mark.parametrize("variant", VARIANTS, ids=repr)
def test_smuggling_gets_one_reply_and_no_message(variant: bytes, chop: int) -> None:
    desk = Desk(MX)
    desk(b"EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
    wire = b"Subject: x\r\n\r\nhello" + variant + SMUGGLED
    step = chop or len(wire)
    heard = b"".join(desk(wire[i : i + step]) for i in range(0, len(wire), step))
    assert heard == bytes(replies.BARE_CONTENT)
    assert desk.messages == []
    assert desk.connection.state is State.READY


@pytest.mark.rfc(3207, "4.2")
def test_starttls_says_how_much_was_discarded() -> None:
    desk = Desk(MX)
    desk(b"EHLO a.example\r\nSTARTTLS\r\nMAIL FROM:<a@b.example>\r\n")
    assert events.StartTls(len(b"MAIL FROM:<a@b.example>\r\n")) in desk.seen
    assert desk(b"NOOP\r\n") == b"250 2.0.0 OK\r\n"


@pytest.mark.rfc(3207, "4")
def test_a_refused_starttls_changes_nothing() -> None:
    connection = Connection(MX, is_tls=False, cleartext=False)
    connection.receive(b"EHLO a.example\r\nSTARTTLS\r\nNOOP\r\n")
    wait_for(connection, events.StartTls)
    connection.answer(Reply(454, "4.7.0", "TLS not available for now"))
    assert connection.next() == events.Flush()
    assert connection.next() is None
    assert connection.output().endswith(b"454 4.7.0 TLS not available for now\r\n250 2.0.0 OK\r\n")
    assert not connection.is_tls


@pytest.mark.rfc(2920, "3.2")
def test_what_may_not_be_buffered_is_flushed() -> None:
    desk = Desk(MX)
    desk(b"EHLO a.example\r\nRSET\r\nNOOP\r\nRSET\r\nFOO\r\nRSET\r\n")
    assert [type(e).__name__ for e in desk.seen] == [
        "Hello", "Flush", "Reset", "Flush", "Reset", "Refused", "Flush", "Reset",
    ]  # fmt: skip


def test_an_event_must_be_answered() -> None:
    connection = Connection(MX, is_tls=False, cleartext=False)
    connection.receive(b"HELO a\r\nMAIL FROM:<>\r\n")
    wait_for(connection, events.Mail)
    with pytest.raises(RuntimeError, match="Mail waits"):
        connection.next()
    connection.answer(Reply(250, "2.1.0", "OK"))
    with pytest.raises(RuntimeError, match="nothing waits"):
        connection.answer(Reply(250, "2.1.0", "OK"))


def test_a_refused_sender_begins_no_transaction() -> None:
    connection = Connection(MX, is_tls=False, cleartext=False)
    connection.receive(b"HELO a\r\nMAIL FROM:<a@b.example>\r\n")
    wait_for(connection, events.Mail)
    connection.answer(Reply(550, "5.7.1", "Not you"))
    assert connection.state is State.READY
    assert connection.errors == 1


def test_the_end_can_come_from_outside() -> None:
    connection = Connection(MX, is_tls=False, cleartext=False)
    connection.output()
    connection.receive(b"HELO a\r\nMAIL FROM:<>\r\n")
    wait_for(connection, events.Mail)
    connection.end(Reply(421, "4.3.2", "Shutting down"))
    assert connection.next() is None
    assert connection.closed
    assert (
        connection.output() == b"250 mx.example.test\r\n421 4.3.2 mx.example.test Shutting down\r\n"
    )


def test_endless_content_is_cut() -> None:
    service = Service("mx", Kind.MX, has_tls=False, limits=SmtpLimits(message_size=1000))
    desk = Desk(service)
    desk(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
    for _ in range(40):
        heard = desk(b"x" * 65_536)
        if desk.closed:
            break
    assert heard == bytes(replies.TOO_LARGE)
    assert desk.messages == []


def test_endless_lines_keep_nothing() -> None:
    connection = Connection(MX, is_tls=False, cleartext=False)
    for _ in range(100):
        connection.receive(b"x" * 65_536)
        while connection.next() is not None:
            pass
        assert len(connection.lines) <= 1
    connection.receive(b"\r\nNOOP\r\n")
    while connection.next() is not None:
        pass
    assert connection.output().endswith(b"500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n")


def test_endless_recipients_are_cut() -> None:
    desk = Desk(SMALL, cleartext=True)
    desk(b"EHLO a\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nMAIL FROM:<>\r\n")
    heard = desk(b"RCPT TO:<full@example.test>\r\n" * 40)
    assert desk.closed
    assert heard.count(b"452 4.2.2") == 30
    assert b"421 4.7.0 mx.example.test Too many commands" in heard


def test_a_name_of_blanks_is_no_name() -> None:
    assert Desk(MX)("EHLO \u3000\r\n".encode()).endswith(bytes(replies.BAD_HELLO))
