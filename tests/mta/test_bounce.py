"""Notices: read by Python's own parser as any other server's, and by a person."""

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.headers import split_fields
from mailserver.mta.bounce import header_of, report, returned_part
from mailserver.mta.meanings import MEANINGS, meaning
from mailserver.mta.notice import Kind, Original, Recipient, Returned, is_wanted, wants_whole

HEADER = b"From: alice@example.org\r\nTo: bob@example.com\r\nSubject: Lunch\r\nMessage-ID: <1@example.org>\r\n"
MESSAGE = HEADER + b"\r\nAt noon?\r\n"
ORIGINAL = Original(
    trace="00c0ffee",
    sender="alice@example.org",
    arrived_at=1_700_000_000,
    envid="QQ314159",
    message_id="<1@example.org>",
    subject="Lunch",
)
BOB = Recipient(
    "bob@example.com",
    original="rfc822;Bob@Example.com",
    status="5.1.1",
    code=550,
    reply="No such user here",
    host="mx1.example.com",
    at=1_700_000_060,
)


def made(kind=Kind.FAILED, original=ORIGINAL, recipients=(BOB,), returned=None):
    return report(
        kind,
        original,
        recipients,
        returned or Returned(MESSAGE, is_whole=True),
        hostname="mail.example.org",
        id="abc123",
        now=1_700_000_100,
    )


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def groups(message: EmailMessage):
    """The fields of each group of the second part."""
    part = list(message.iter_parts())[1]
    body = part.as_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    return [
        [
            (name.decode(), value.partition(b":")[2].strip().decode())
            for name, value in split_fields(block)
        ]
        for block in body.split(b"\n\n")
    ]


@pytest.mark.rfc(3461, "6.1", "6.2", "6.3")
@pytest.mark.rfc(3464, "2", "2.1", "2.2", "2.3")
@pytest.mark.rfc(6522, "3")
@pytest.mark.rfc(3834, "5")
def test_a_failure():
    raw = made()
    message = read(raw)
    assert message["To"] == "alice@example.org"
    assert message["From"] == "Mail Delivery <postmaster@mail.example.org>"
    assert message["Subject"] == "Not delivered: Lunch"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == message["References"] == "<1@example.org>"
    assert message["Message-ID"] == "<abc123@mail.example.org>"
    assert parsedate_to_datetime(message["Date"]).timestamp() == 1_700_000_100
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    text, status, back = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert back.get_content_type() == "message/rfc822"
    assert back.as_bytes().endswith(MESSAGE.replace(b"\r\n", b"\n"))
    about, bob = groups(message)
    assert [name for name, _ in about] == ["Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"]
    assert dict(about)["Original-Envelope-Id"] == "QQ314159"
    assert dict(about)["Reporting-MTA"] == "dns; mail.example.org"
    assert [(name, value) for name, value in bob if "Date" not in name] == [
        ("Original-Recipient", "rfc822; Bob@Example.com"),
        ("Final-Recipient", "rfc822; bob@example.com"),
        ("Action", "failed"),
        ("Status", "5.1.1"),
        ("Remote-MTA", "dns; mx1.example.com"),
        ("Diagnostic-Code", "smtp; 550 5.1.1 No such user here"),
        ("Final-Log-ID", "00c0ffee"),
    ]
    assert parsedate_to_datetime(dict(bob)["Last-Attempt-Date"]).timestamp() == 1_700_000_060
    assert raw.isascii()


def test_what_a_person_reads():
    text = next(read(made()).iter_parts()).get_content()
    lines = [line for line in text.splitlines() if "Taken:" not in line]
    assert lines == [
        "This is the mail server mail.example.org.",
        "",
        "Your message could not be delivered to:",
        "",
        "    bob@example.com",
        "",
        "Reason: there is no such address.",
        "",
        "The server mx1.example.com answered:",
        "",
        "    550 5.1.1 No such user here",
        "",
        "What you can do: Check the address for typing mistakes, and send the",
        "message again to the right one.",
        "",
        "Nothing more is tried with this message.",
        "",
        "The message:",
        "    Subject: Lunch",
        "    Number:  00c0ffee",
    ]


@pytest.mark.rfc(3461, "9.3")
@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("mx.example.com", "mx.example.com"),
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("[192.0.2.1]", "[192.0.2.1]"),
    ],
)
def test_the_other_servers_name(host, name):
    raw = made(recipients=[BOB._replace(host=host)])
    assert f"Remote-MTA: dns; {name}\r\n".encode() in raw


@pytest.mark.rfc(3464, "2.3.9")
def test_a_delay():
    late = BOB._replace(
        status="4.4.1", code=0, reply="connection timed out", retry_until=1_700_432_000
    )
    message = read(made(Kind.DELAYED, recipients=[late]))
    _, bob = groups(message)
    fields = dict(bob)
    assert fields["Action"] == "delayed"
    assert fields["Status"] == "4.4.1"
    assert fields["Diagnostic-Code"] == "x-mailserver; connection timed out"
    assert parsedate_to_datetime(fields["Will-Retry-Until"]).timestamp() == 1_700_432_000
    text = next(message.iter_parts()).get_content()
    assert "has not been delivered yet" in text
    assert "need not send it again" in " ".join(text.split())


@pytest.mark.rfc(3464, "2.3.9")
def test_only_a_delay_says_until_when():
    assert b"Will-Retry-Until" not in made(recipients=[BOB._replace(retry_until=1_700_432_000)])


@pytest.mark.rfc(3464, "2.3.3", "2.3.4")
@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (Kind.FAILED, "5.7.1", "5.7.1"),
        (Kind.FAILED, "4.4.1", "4.4.1"),  # tried in vain for too long
        (Kind.FAILED, "", "5.0.0"),
        (Kind.FAILED, "2.0.0", "5.0.0"),
        (Kind.FAILED, "5.01.1", "5.0.0"),
        (Kind.DELAYED, "5.1.1", "4.0.0"),
        (Kind.DELIVERED, "2.1.5", "2.1.5"),
        (Kind.RELAYED, "", "2.0.0"),
        (Kind.EXPANDED, "nonsense", "2.0.0"),
    ],
)
def test_action_and_status(kind, status, said):
    everything = "SUCCESS,FAILURE,DELAY"
    message = read(made(kind, recipients=[BOB._replace(status=status, notify=everything)]))
    fields = dict(groups(message)[1])
    assert (fields["Action"], fields["Status"]) == (kind.value, said)


@pytest.mark.rfc(3461, "9.2")
def test_a_reply_of_several_lines():
    said = BOB._replace(reply="mailbox unavailable\n5.1.1 user has moved")
    assert (
        b"Diagnostic-Code: smtp; 550-5.1.1 mailbox unavailable\r\n 550 5.1.1 user has moved\r\n"
        in made(recipients=[said])
    )


@pytest.mark.rfc(3461, "4.1", "5.2.3", "5.2.5", "5.2.6", "5.2.8")
@pytest.mark.parametrize(
    ("notify", "kinds"),
    [
        ("", {Kind.FAILED, Kind.DELAYED}),
        ("NEVER", set()),
        ("FAILURE", {Kind.FAILED}),
        ("DELAY", {Kind.DELAYED}),
        ("SUCCESS", {Kind.DELIVERED, Kind.RELAYED, Kind.EXPANDED}),
        ("success,delay", set(Kind) - {Kind.FAILED}),
    ],
)
def test_who_asked_for_what(notify, kinds):
    assert {kind for kind in Kind if is_wanted(kind, notify)} == kinds
    asked = BOB._replace(notify=notify)
    assert {kind for kind in Kind if made(kind, recipients=[asked]) is not None} == kinds


@pytest.mark.rfc(3461, "5.2.8")
def test_nobody_else_is_told_of():
    raw = made(recipients=[BOB, Recipient("secret@example.net", notify="NEVER")])
    assert b"secret" not in raw
    assert len(groups(read(raw))) == 2


@pytest.mark.rfc(3461, "5.2")
def test_nothing_answers_a_null_return_path():
    assert made(original=Original("1", "", 0)) is None
    assert made(original=Original("1", "", 0, notices_to="owner@example.org")) is None
    assert made(original=Original("1", "a@example.org", 0, notices_to="")) is None


def test_the_owner_of_a_forward_hears_of_it_instead_of_the_sender():
    forwarded = Original("1", "stranger@example.net", 0, notices_to="owner@example.org")
    message = read(made(original=forwarded))
    assert message["To"] == "owner@example.org"
    text = next(message.iter_parts()).get_content()
    assert "forwarded for you" in text
    assert "From:    stranger@example.net" in text


@pytest.mark.rfc(3461, "4.3", "6.2")
@pytest.mark.rfc(8689, "5")
@pytest.mark.rfc(6522, "3")
def test_how_much_comes_back():
    assert wants_whole(Kind.FAILED, ORIGINAL, 100, 100)
    assert wants_whole(Kind.FAILED, replace(ORIGINAL, ret="full"), 100, 100)
    assert not wants_whole(Kind.FAILED, replace(ORIGINAL, ret="FULL"), 101, 100)
    assert not wants_whole(Kind.FAILED, replace(ORIGINAL, ret="HDRS"), 1, 100)
    assert not wants_whole(Kind.DELIVERED, replace(ORIGINAL, ret="FULL"), 1, 100)
    assert not wants_whole(Kind.FAILED, replace(ORIGINAL, ret="FULL", needs_tls=True), 1, 100)


@pytest.mark.rfc(6522, "4")
def test_the_header_alone():
    back = list(read(made(returned=Returned(MESSAGE, is_whole=False))).iter_parts())[2]
    assert back.get_content_type() == "text/rfc822-headers"
    assert back.get_content().encode() == HEADER


@pytest.mark.rfc(6533, "3", "4.1", "4.2", "4.3")
def test_addresses_and_headers_in_utf8():
    utf8 = HEADER.replace(b"Lunch", "Mittagessen für alle".encode())
    greek = Recipient(
        "δοκιμή@example.com", original="utf-8;\\x{3B4}@example.com", code=553, reply="ναι"
    )
    raw = made(recipients=[greek], returned=Returned(utf8 + b"\r\nx\r\n", is_whole=True))
    message = read(raw)
    _, status, back = message.iter_parts()
    assert status.get_content_type() == "message/global-delivery-status"
    assert status["Content-Transfer-Encoding"] == "8bit"
    assert back.get_content_type() == "message/global"
    fields = dict(groups(message)[1])
    assert fields["Final-Recipient"] == "utf-8; δοκιμή@example.com"
    assert fields["Original-Recipient"] == "utf-8; δ@example.com"
    assert fields["Diagnostic-Code"] == "smtp; 553 ναι"
    raw = made(recipients=[greek], returned=Returned(utf8, is_whole=False))
    assert list(read(raw).iter_parts())[2].get_content_type() == "message/global-headers"


@pytest.mark.rfc(3464, "2.1")
@pytest.mark.rfc(6533, "3")
def test_ascii_addresses_make_an_ascii_report():
    said = BOB._replace(reply="Bücher", original="rfc822;bob@example.com")
    status = list(read(made(recipients=[said])).iter_parts())[1]
    assert status.get_content_type() == "message/delivery-status"
    assert b"B\\xfccher" in status.as_bytes()


def test_headers_in_an_unknown_charset():
    raw = returned_part(Returned(b"Subject: gr\xfc\xdfe\r\n\r\nx", is_whole=False))
    assert raw.endswith(b"\r\n\r\nSubject: gr??e\r\n")
    raw = returned_part(Returned(b"Subject: gr\xfc\xdfe\r\n\r\nx", is_whole=True))
    assert b"Content-Type: message/rfc822" in raw
    assert b"Content-Transfer-Encoding: 8bit" in raw


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody", b"A: 1\r\nB: 2\r\n"),
        (b"A: 1\nB: 2\n\nbody", b"A: 1\nB: 2\n"),
        (b"A: 1\r\nB: 2\r\n 3\r\n", b"A: 1\r\nB: 2\r\n 3\r\n"),
        (b"A: 1\r\nB: 2, and the rest is miss", b"A: 1\r\n"),
        (b"\r\nbody", b""),
        (b"", b""),
        (b"no header at all", b""),
    ],
)
def test_where_a_header_ends(data, header):
    assert header_of(data) == header


def test_many_recipients_stay_readable():
    many = [BOB._replace(address=f"r{i}@example.com", reply=f"no {i // 100}") for i in range(3_000)]
    raw = made(recipients=many)
    assert len(groups(read(raw))) == 3_001
    text = next(read(raw).iter_parts()).get_content()
    assert "and 50 more" in text
    assert "And 1000 more" in text
    assert len(text) < 60_000


words = st.text(max_size=60)


@given(
    words,
    st.lists(
        st.builds(
            Recipient,
            address=words,
            original=words,
            status=words,
            code=st.integers(0, 599),
            reply=words,
            host=words,
            notify=st.just(""),
            at=st.none() | st.integers(0, 2**33),
            retry_until=st.none() | st.integers(0, 2**33),
        ),
        min_size=1,
        max_size=3,
    ),
    st.binary(max_size=200),
    st.booleans(),
)
def test_nothing_said_by_others_adds_fields_or_parts(subject, recipients, data, is_whole):
    original = Original("1", "a@example.org", 0, subject=subject, envid=subject, message_id=subject)
    raw = made(original=original, recipients=recipients, returned=Returned(data, is_whole))
    message = read(raw)
    assert {name.lower() for name in message} <= {
        "date", "from", "to", "subject", "message-id", "auto-submitted", "in-reply-to", "references",
        "mime-version", "content-type", "content-transfer-encoding",
    }  # fmt: skip
    assert len(list(message.iter_parts())) == 3
    about, *each = groups(message)
    assert {name for name, _ in about} <= {"Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"}
    assert len(each) == len(recipients)


@pytest.mark.rfc(3463, "2")
@pytest.mark.rfc(7372, "3")
def test_every_code_has_a_meaning():
    assert meaning("5.1.1") is MEANINGS["1.1"]
    assert meaning("4.1.99") is MEANINGS["1"]
    assert meaning("5.7.25") is MEANINGS["7.25"]
    assert meaning("nonsense") == meaning("") == meaning("5.9.9")
    assert all(m.what.endswith(".") and not m.what[0].isupper() for m in MEANINGS.values())
