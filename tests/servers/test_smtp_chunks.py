"""Messages in chunks over real sockets: stored, cut off, refused, on a disk that fails; fair to others beside them."""

import asyncio
import email
import email.policy
import threading
import time

import pytest

from mailserver.base.limits import ConnectionLimits, Limits, SmtpLimits
from mailserver.net.tls import ServerTls
from mailserver.store.spool import Spool
from servers.site import RAW, Site, Wire, greeted, running, send, submit, until

ENVELOPE = b"MAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<alice@example.test>\r\n"


def begun(site: Site) -> Wire:
    """A client that has named a sender and a recipient."""
    wire = greeted(site)
    wire.say(ENVELOPE)
    assert wire.hear().startswith("250 2.1.0")
    assert wire.hear().startswith("250 2.1.5")
    return wire


@pytest.mark.rfc(3030, "2", "4.2")
def test_chunks_are_stored_as_they_came(site: Site) -> None:
    raw = RAW + b"no line end here"
    with begun(site) as wire:
        assert wire.ask(b"BDAT 7\r\n" + raw[:7]) == "250 2.0.0 7 octets"
        wire.say(b"BDAT 0\r\nBDAT %d LAST\r\n" % (len(raw) - 7) + raw[7:])
        assert wire.hear() == "250 2.0.0 0 octets"
        assert wire.hear().startswith("250 2.0.0 Taken as ")
        assert send(wire, "alice@example.test").startswith("250")
    one, other = site.messages("alice@example.test")
    assert one.endswith(b"\r\n" + raw)
    assert other.endswith(RAW)


@pytest.mark.rfc(1870, "6")
def test_ten_megabytes_in_chunks(site: Site) -> None:
    raw = b"Subject: big\r\n\r\n" + (b"x" * 70 + b"\r\n..\r\n") * 140_000
    with begun(site) as wire:
        for begin in range(0, len(raw), 1_000_000):
            piece = raw[begin : begin + 1_000_000]
            assert wire.ask(b"BDAT %d\r\n" % len(piece) + piece).startswith("250")
        assert wire.ask(b"BDAT 0 LAST\r\n").startswith("250 2.0.0 Taken")
    (stored,) = site.messages("alice@example.test")
    assert stored.endswith(raw)
    assert site.context.memory.used == 0


@pytest.mark.parametrize("size", [100, 2_400_000])
def test_a_connection_that_dies_in_a_chunk_leaves_nothing(site: Site, size: int) -> None:
    with begun(site) as wire:
        wire.say(b"BDAT 2500000 LAST\r\n" + b"x" * size)
        if size > 2_300_000:
            until(lambda: len(site.spooled()) == 1)
    until(lambda: site.reception.connections == 0)
    assert site.spooled() == site.messages("alice@example.test") == []
    assert site.context.memory.used == 0


@pytest.mark.rfc(3030, "2")
def test_a_disk_that_is_full_is_reported_with_the_chunk(site: Site, monkeypatch) -> None:
    def full(self, data):
        raise OSError(28, "No space left on device")

    with begun(site) as wire:
        assert wire.ask(b"BDAT 4\r\na: b") == "250 2.0.0 4 octets"
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "write", full)
            assert wire.ask(b"BDAT 2\r\n\r\n").startswith("452 4.3.1 Storage is not available")
        assert wire.ask(b"BDAT 6 LAST\r\nQUIT\r\n").startswith("503 5.5.1")
        assert send(wire, "alice@example.test").startswith("250")
    assert len(site.messages("alice@example.test")) == 1
    assert site.spooled() == []
    assert site.context.memory.used == 0


@pytest.mark.rfc(1870, "6.1")
def test_ten_gigabytes_are_refused_before_they_come(site: Site) -> None:
    with begun(site) as wire:
        assert wire.ask(b"BDAT 10000000000 LAST\r\n").startswith("552 5.3.4")
        assert wire.hear() == ""


def test_endless_small_chunks_cost_the_memory_of_their_octets(tmp_path, tls: ServerTls) -> None:
    limits = Limits(connections=ConnectionLimits(spool_memory=10_000))
    with running(tmp_path, tls, limits) as site, begun(site) as wire:
        wire.say(b"BDAT 1\r\nx" * 9_000 + b"BDAT 0 LAST\r\n")
        for _ in range(9_000):
            assert wire.hear() == "250 2.0.0 1 octets"
        assert wire.hear().startswith("250 2.0.0 Taken")
        assert site.messages("alice@example.test")[0].endswith(b"x" * 9_000)


async def longest_wait(stop: asyncio.Event) -> float:
    """Seconds that the loop kept everybody waiting at most."""
    longest, before = 0.0, time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(0)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    return longest


def test_a_burst_of_commands_does_not_keep_others_waiting(tmp_path, tls: ServerTls) -> None:
    limits = Limits(smtp=SmtpLimits(refused_recipients=100_000, recipients=10_000))
    with running(tmp_path, tls, limits) as site, greeted(site) as burst:
        count = 8_000
        stop = asyncio.Event()
        waiting = asyncio.run_coroutine_threadsafe(longest_wait(stop), site.loop)
        began = time.monotonic()
        burst.say(b"MAIL FROM:<>\r\n" + b"RCPT TO:<nobody@example.test>\r\n" * count)
        for _ in range(count + 1):
            burst.hear()
        took = time.monotonic() - began
        site.loop.call_soon_threadsafe(stop.set)
        assert waiting.result(10) < took / 4


PICTURE = bytes(range(256)) * 400
BINARY = (
    b"From: a@elsewhere.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: image/png\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n" + PICTURE + b"\r\n--b--\r\n"
)


def binary(wire: Wire, content: bytes, sender: str = "a@elsewhere.test") -> str:
    """The reply to the last chunk."""
    assert wire.ask(f"MAIL FROM:<{sender}> BODY=BINARYMIME\r\n".encode()).startswith("250")
    assert wire.ask(b"RCPT TO:<alice@example.test>\r\n").startswith("250")
    return wire.ask(b"BDAT %d LAST\r\n" % len(content) + content)


@pytest.mark.rfc(3030, "3")
@pytest.mark.parametrize("submitted", [False, True])
def test_binary_content_is_stored_so_that_everybody_can_read_it(
    site: Site, submitted: bool
) -> None:
    content = BINARY.replace(b"a@elsewhere.test", b"bob@example.test")
    with submit(site, "bob@example.test") if submitted else greeted(site) as wire:
        assert binary(wire, content, "bob@example.test").startswith("250 2.0.0 Taken")
    (stored,) = site.messages("alice@example.test")
    message = email.message_from_bytes(stored, policy=email.policy.default)
    text, picture = message.iter_parts()
    assert picture["Content-Transfer-Encoding"] == "base64"
    assert picture.get_content() == PICTURE
    assert text.get_content().strip() == "hello"
    assert message["From"] == "bob@example.test"
    assert ("Message-ID" in message) is submitted
    assert len(site.spooled()) == 1, "the message's own file, and nothing else"
    assert max(map(len, stored.split(b"\r\n"))) < 1_000


@pytest.mark.rfc(3030, "3")
@pytest.mark.parametrize(
    "content",
    [
        b"From: a@elsewhere.test\nBcc: x\r\n\r\nhi\r\n",
        BINARY.replace(b"multipart/mixed", b"multipart/signed; protocol=x"),
        BINARY.replace(b"\r\n--b\r\n\r\n", b"\r\npreamble\nhere\r\n--b\r\n\r\n", 1),
    ],
)
def test_binary_content_that_cannot_be_converted_is_refused(site: Site, content: bytes) -> None:
    with greeted(site) as wire:
        said = binary(wire, content)
        assert said.startswith("554 5.6.3 Message refused: its binary content cannot be converted")
        assert binary(wire, b"From: x@y.example\r\n\r\nhi\r\n").startswith("250")
    assert len(site.messages("alice@example.test")) == 1
    assert site.spooled() == []


def test_content_in_lines_is_kept_as_it_came_though_declared_binary(site: Site) -> None:
    with greeted(site) as wire:
        assert binary(wire, RAW + b"no end").startswith("250")
    assert site.messages("alice@example.test")[0].endswith(b"\r\n" + RAW + b"no end")


@pytest.mark.rfc(5321, "3.8")
@pytest.mark.parametrize("is_stray", [False, True])
def test_stopping_lets_a_message_in_chunks_finish(site: Site, is_stray: bool) -> None:
    """A chunk that belongs to no transaction is nothing to wait for."""
    with greeted(site) if is_stray else begun(site) as wire:
        if is_stray:
            wire.say(b"BDAT 10\r\nhel")
        else:
            assert wire.ask(b"BDAT 3\r\nhel").startswith("250")
        until(lambda: site.reception.connections == 1)
        site.loop.call_soon_threadsafe(site._over.set)
        if not is_stray:
            assert wire.ask(b"BDAT 4 LAST\r\nlo\r\n").startswith("250 2.0.0 Taken")
        assert wire.hear().startswith("421 4.3.2")
        assert wire.hear() == ""
    site._thread.join(10)
    assert not site._thread.is_alive()


def test_a_disk_that_fails_while_content_is_converted(site: Site, monkeypatch) -> None:
    written = Spool.write

    def full(self, data):
        if threading.current_thread().name != site._thread.name:  # the conversion's thread
            raise OSError(28, "No space left on device")
        written(self, data)

    with greeted(site) as wire:
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "write", full)
            assert binary(wire, BINARY).startswith("452 4.3.1 Storage is not available")
        assert binary(wire, BINARY).startswith("250")
    assert len(site.spooled()) == 1
    assert site.context.memory.used == 0
