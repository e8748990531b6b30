"""Messages of APPEND and REPLACE: URLs, quota, what is left behind, bounds (RFC 3502, RFC 4469, RFC 8508)."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap.engine import Client, House, logged_in
from mailserver.base.errors import PeerError
from mailserver.base.limits import ImapLimits
from mailserver.imap import urls
from mailserver.imap.fetching.section import Partial, Section
from mailserver.imap.names import fold
from mailserver.imap.urls import MessageUrl

LIMITS = ImapLimits()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    limits = ImapLimits(
        append_size=3_000_000, append_messages=3, append_total=4_000_000, catenate_parts=3
    )
    house = House(tmp_path, limits)
    yield house
    house.close()


def files(house: House) -> list[str]:
    """What lies in the folders of bodies."""
    folders = house.store.blob_folder, house.store.spool_folder
    return sorted(f.name for folder in folders for f in folder.rglob("*") if f.is_file())


def stored(client: Client, mailbox: str) -> bytes:
    return client(f"s STATUS {mailbox} (MESSAGES)\r\n".encode())


@pytest.mark.parametrize(
    ("url", "value"),
    [
        (b"/INBOX/;UID=7", MessageUrl("INBOX", 0, 7, Section(), None)),
        (b"/inbox;uidvalidity=3/;uid=7", MessageUrl("INBOX", 3, 7, Section(), None)),
        (b";UID=7", MessageUrl(None, 0, 7, Section(), None)),
        (b"/;UID=7/;SECTION=1.2", MessageUrl(None, 0, 7, Section((1, 2)), None)),
        (
            b"/a/b%20c/;UID=7/;SECTION=HEADER.FIELDS%20(DATE)/;PARTIAL=0.1024",
            MessageUrl(
                "a/b c", 0, 7, Section(text="HEADER.FIELDS", fields=(b"DATE",)), Partial(0, 1024)
            ),
        ),
    ],
)
@pytest.mark.rfc(5092, "7.2")
def test_url(url: bytes, value: MessageUrl) -> None:
    assert urls.parse(url, LIMITS) == value


@given(st.text(min_size=1).filter(lambda s: s.strip("/")), st.integers(1, 2**31), st.integers(1, 9))
@pytest.mark.rfc(5092, "11")
def test_any_mailbox_name_in_a_url(name: str, uid: int, part: int) -> None:
    name = name.strip("/")
    try:
        wire = quote(name, safe="/").encode()
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    found = urls.parse(b"/%b/;UID=%d/;SECTION=%d" % (wire, uid, part), LIMITS)
    assert found == MessageUrl(fold(name), 0, uid, Section((part,)), None)


@given(st.binary(max_size=200) | st.from_regex(rb"/?[a-z;/=?UIDSECTION%0-9.]{0,60}"))
def test_garbage_in_a_url(url: bytes) -> None:
    with contextlib.suppress(PeerError):
        urls.parse(url, LIMITS)
    said = urls.shown(url)
    assert said.isascii()
    assert "]" not in said
    assert said.isprintable()


def test_in_one_command_or_in_pieces_memory_is_bounded(house: House) -> None:
    """Beyond a bound the messages of one command are files until they are filed; afterwards no file is left over."""
    client = logged_in(house)
    big = b"x" * 900_000
    said = client(b"a APPEND Sent {900000+}\r\n%b {900000+}\r\n%b {5+}\r\nabcde\r\n" % (big, big))
    assert b"a OK [APPENDUID " in said
    assert b" 1:3]" in said
    client(b"b SELECT Sent\r\n")
    assert client(b"c FETCH 2 BODY.PEEK[]\r\n").count(b"x") == 900_000
    assert b"{5}\r\nabcde" in client(b"d FETCH 3 BODY.PEEK[]\r\n")
    assert len(files(house)) == 1  # both large ones are the same


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"{1+}\r\na {1+}\r\nb {1+}\r\nc {1+}\r\nd\r\n", b"LIMIT"),
        (b"{2500000+}\r\n%b {2500000+}\r\n%b\r\n" % (b"x" * 2_500_000, b"x" * 2_500_000), b"LIMIT"),
        (b'CATENATE (URL "/INBOX/;UID=1" URL "/INBOX/;UID=1" TEXT {900001+}\r\n', b"TOOBIG"),
        (b"CATENATE (TEXT {1+}\r\na TEXT {1+}\r\na TEXT {1+}\r\na TEXT {1+}\r\na)\r\n", b"LIMIT"),
        (b"{2000000+}\r\n%b {3+}\r\na\0b\r\n" % (b"y" * 2_000_000), b"CANNOT"),
    ],
    ids=["messages", "octets", "one of parts", "parts", "content"],
)
@pytest.mark.rfc(3502, "2")
def test_nothing_is_left_of_what_was_refused(house: House, command: bytes, code: bytes) -> None:
    house.deliver(b"x" * 1_100_000)
    before = files(house)
    client = logged_in(house)
    said = client(b"a APPEND Sent " + command)
    if code == b"TOOBIG":
        said += client(b"z" * 900_001 + b")\r\n")
    assert b"a NO [%b]" % code in said, said
    assert b"MESSAGES 0)" in stored(client, "Sent")
    assert files(house) == before
    client.close()


def test_quota_is_asked_before_the_message_is_sent(house: House) -> None:
    owner = house.accounts["alice"]
    house.store.write_now(lambda tx: tx.accounts.set(owner.id, quota=100))
    client = logged_in(house)
    assert b"a NO [OVERQUOTA]" in client(b"a APPEND Sent {101}\r\n")
    said = client(b"b APPEND Sent {60}\r\n" + b"x" * 60 + b" {41}\r\n")
    assert said.startswith(b"+ Ready\r\nb NO [OVERQUOTA]")
    assert b"MESSAGES 0)" in stored(client, "Sent")


@pytest.mark.rfc(8508, "3.4")
def test_replace_needs_room_for_the_difference_only(house: House) -> None:
    owner = house.accounts["alice"]
    client = logged_in(house)
    client(b"a APPEND Drafts {80+}\r\n" + b"x" * 80 + b"\r\n")
    client(b"b SELECT Drafts\r\n")
    house.store.write_now(lambda tx: tx.accounts.set(owner.id, quota=100))
    assert b"c NO [OVERQUOTA]" in client(b"c REPLACE 1 Drafts {101}\r\n")
    assert b"d OK REPLACE" in client(b"d REPLACE 1 Drafts {100+}\r\n" + b"y" * 100 + b"\r\n")
    assert b"MESSAGES 1)" in stored(client, "Drafts")


def test_replace_by_the_same_octets(house: House) -> None:
    """The body stays where a message goes and the same one comes, also as a file."""
    body = b"z" * 200_000
    client = logged_in(house)
    client(b"a APPEND Drafts {200000+}\r\n" + body + b"\r\n")
    client(b"b SELECT Drafts\r\n")
    assert b"c OK" in client(b"c REPLACE 1 Drafts {200000+}\r\n" + body + b"\r\n")
    assert client(b"d FETCH 1 BODY[]\r\n").count(b"z") == 200_000
    assert len(files(house)) == 1
