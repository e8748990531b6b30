"""The IMAP server as its clients meet it: real sockets, TLS, threads."""

import errno
import imaplib
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailserver.base.limits import ConnectionLimits, ImapLimits, Limits
from mailserver.base.rate_limits import AddressRates, RatesLimits
from mailserver.servers import imap_content
from servers.imap_bench import PASSWORD, Bench, Wire, running, tls

FAST = Limits(imap=ImapLimits(auth_delay_s=0.01))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("imap"), FAST) as bench:
        yield bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with running(tmp_path, FAST) as bench:
        yield bench


def test_imaplib_goes_through_a_day(bench: Bench) -> None:
    bench.deliver()
    with imaplib.IMAP4_SSL("127.0.0.1", bench.ports["imaps"], ssl_context=_context()) as client:
        client.login("alice@example.test", PASSWORD)
        assert client.create("Work")[0] == "OK"
        assert client.select("INBOX") == ("OK", [b"1"])
        message = b"Subject: sent\r\n\r\n" + b"line\r\n" * 50_000
        assert client.append("INBOX", r"(\Seen)", imaplib.Time2Internaldate(0), message)[0] == "OK"
        status, data = client.fetch("2", "(FLAGS RFC822.SIZE BODY.PEEK[])")
        assert status == "OK"
        assert data[0][1] == message
        assert client.store("1", "+FLAGS", r"(\Deleted \Flagged)")[0] == "OK"
        assert client.copy("1:2", "Work")[0] == "OK"
        assert client.search(None, "FLAGGED") == ("OK", [b"1"])
        assert client.expunge() == ("OK", [b"1"])
        assert client.uid("MOVE", "1:*", "Work")[0] == "OK"
        assert client.status("Work", "(MESSAGES)") == ("OK", [b"Work (MESSAGES 3)"])
        assert client.close()[0] == "OK"


@pytest.mark.rfc(3501, "6.2.1")
def test_starttls_drops_what_came_before_it(tmp_path: Path) -> None:
    with running(tmp_path, FAST, cleartext=False) as bench:
        wire = bench.connect()
        greeting = wire.line()
        assert b"LOGINDISABLED" in greeting
        assert b"STARTTLS" in greeting
        assert b"AUTH=" not in greeting
        assert wire.command(f"LOGIN alice@example.test {PASSWORD}")[-1].startswith(
            b"x NO [PRIVACYREQUIRED]"
        )
        wire.send(b"y STARTTLS\r\nevil LOGOUT\r\n")
        assert wire.line() == b"y OK Begin TLS negotiation now"
        wire.sock = tls(wire.sock)
        said = wire.command("CAPABILITY")
        assert b"AUTH=PLAIN" in said[0]
        assert b"STARTTLS" not in said[0]
        assert len(said) == 2, "the injected LOGOUT was not obeyed"
        assert wire.command("STARTTLS")[-1].startswith(b"x BAD")
        assert wire.command(f"LOGIN alice@example.test {PASSWORD}")[-1].startswith(b"x OK")


def test_a_broken_handshake_ends_only_that_connection(shared: Bench) -> None:
    wire = shared.connect()
    wire.line()
    wire.send(b"y STARTTLS\r\n")
    wire.line()
    wire.send(b"this is no ClientHello at all\r\n" * 10)
    wire.is_closed()
    assert shared.log_in().command("NOOP") == [b"x OK NOOP completed."]


@pytest.mark.rfc(3501, "5.5")
@pytest.mark.rfc(9051, "5.5")
def test_pipelined_commands_are_answered_in_order(bench: Bench) -> None:
    bench.deliver()
    wire = bench.log_in(select="INBOX")
    count = 200
    wire.send(
        b"".join(
            b"a%d STORE 1 +FLAGS (k%d)\r\nb%d FETCH 1 FLAGS\r\n" % (i, i, i) for i in range(count)
        )
    )
    order = []
    while len(order) < 2 * count:
        line = wire.line()
        if not line.startswith(b"*"):
            assert b" OK " in line
            order.append(line.split(b" ")[0].decode())
    assert order == [f"{x}{i}" for i in range(count) for x in "ab"]


@pytest.mark.rfc(2177, "3")
def test_idle_hears_of_a_delivery_at_once(bench: Bench) -> None:
    wire = bench.log_in(select="INBOX")
    other = bench.log_in(select="INBOX")
    for w in (wire, other):
        w.send(b"i IDLE\r\n")
        assert w.line() == b"+ idling"
    for count in range(1, 6):
        started = time.monotonic()
        bench.deliver()
        heard = wire.line()
        took = time.monotonic() - started
        assert heard == b"* %d EXISTS" % count
        assert took < 1.0  # 50 ms on a quiet machine; this one may be busy
        wire.line()
        assert other.line() == b"* %d EXISTS" % count
        other.line()
    other.send(b"DONE\r\n")
    assert other.line() == b"i OK IDLE terminated."
    assert other.command(r"STORE 2 +FLAGS (\Deleted)")[-1].startswith(b"x OK")
    assert wire.line() == rb"* 2 FETCH (UID 2 FLAGS (\Deleted \Recent))"
    assert other.command("EXPUNGE")[-1].startswith(b"x OK")
    assert wire.line() == b"* 2 EXPUNGE"
    wire.send(b"DONE\r\n")
    assert wire.until(b"i ")[-1] == b"i OK IDLE terminated."


def test_a_burst_is_merged_and_nothing_is_missed(bench: Bench) -> None:
    wires = [bench.log_in(select="INBOX") for _ in range(5)]
    for wire in wires:
        wire.send(b"i IDLE\r\n")
        assert wire.line() == b"+ idling"
    for _ in range(50):
        bench.deliver()
    for wire in wires:
        wire.until(b"* 50 EXISTS")
        wire.send(b"DONE\r\n")
        wire.until(b"i OK")
    recents = [int(w.command("SEARCH RECENT")[0].split().count(b"SEARCH")) for w in wires]
    assert recents == [1] * 5
    total = sum(len(w.command("SEARCH RECENT")[0].split()) - 2 for w in wires)
    assert total == 50, "each message is recent in exactly one session"


@pytest.mark.rfc(2180, "3.3")
def test_the_mailbox_goes_while_somebody_idles(bench: Bench) -> None:
    wire = bench.log_in()
    wire.command("CREATE Doomed")
    wire.command("SELECT Doomed")
    wire.send(b"i IDLE\r\n")
    assert wire.line() == b"+ idling"
    assert bench.log_in().command("DELETE Doomed") == [b"x OK DELETE completed."]
    assert wire.line() == b"* BYE The mailbox was deleted."
    assert wire.is_closed()


@pytest.mark.rfc(7888, "4")
def test_a_huge_literal_is_refused_without_being_read(shared: Bench) -> None:
    wire = shared.log_in()
    wire.send(b"a APPEND INBOX {10737418240}\r\n")
    assert wire.line().startswith(b"a NO [TOOBIG]")
    wire.send(b"b APPEND INBOX {10737418240+}\r\n")
    assert wire.line() == b"* BYE [TOOBIG] Literal too large"
    assert wire.is_closed()
    wire = shared.connect()
    wire.line()
    wire.send(b"a LOGIN {10737418240}\r\n")
    assert wire.line() == b"a BAD [TOOBIG] Literal too large"
    wire.send(b"a LOGIN {10737418240+}\r\n")
    assert wire.line() == b"* BYE [TOOBIG] Literal too large"


def test_an_endless_line_takes_no_memory(shared: Bench) -> None:
    wire = shared.log_in()
    for _ in range(40):
        wire.send(b"x" * 65_536)
    wire.send(b"\r\n")
    assert wire.line() == b"* BAD [TOOBIG] Command too long"
    assert wire.command("NOOP") == [b"x OK NOOP completed."]


@pytest.mark.rfc(3501, "6.3.11")
def test_append_in_pieces_and_a_connection_that_dies(bench: Bench) -> None:
    message = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 65_536
    wire = bench.log_in(select="INBOX")
    wire.send(b"a APPEND INBOX {%d}\r\n" % len(message))
    assert wire.line() == b"+ Ready"
    for start in range(0, len(message), 100_000):
        wire.send(message[start : start + 100_000])
    wire.send(b"\r\n")
    assert wire.line() == b"* 1 EXISTS"
    assert b"[APPENDUID " in wire.until(b"a ")[-1]
    wire.send(b"b FETCH 1 BODY.PEEK[]\r\n")
    assert wire.line() == b"* 1 FETCH (BODY[] {%d}" % len(message)
    assert wire.octets(len(message)) == message
    dying = bench.log_in()
    dying.send(b"a APPEND INBOX {%d}\r\n" % len(message))
    assert dying.line() == b"+ Ready"
    dying.send(message[:500_000])
    dying.close()
    _wait_until(lambda: not list((bench.folder / "spool").iterdir()))
    assert bench.log_in().command("STATUS INBOX (MESSAGES)")[0] == b"* STATUS INBOX (MESSAGES 1)"


def test_a_client_that_does_not_read_is_waited_for(bench: Bench) -> None:
    """The answer is ten times what may lie in buffers; the server stops, and goes on when the client does."""
    message = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 65_536
    for _ in range(20):
        bench.deliver(message)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    sock.connect(("127.0.0.1", bench.ports["imap"]))
    sock.sendall(
        f"a LOGIN alice@example.test {PASSWORD}\r\nb SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n".encode()
    )
    time.sleep(0.5)
    (stream,) = bench.call(lambda: list(bench.reception._live))
    assert bench.call(lambda: stream._transport.get_write_buffer_size()) < 2_000_000
    assert bench.log_in().command("NOOP") == [b"x OK NOOP completed."]
    received = 0
    tail = b""
    while not tail.endswith(b"c OK FETCH completed.\r\n"):
        assert select.select([sock], [], [], 10)[0]
        data = sock.recv(1 << 20)
        assert data
        received += len(data)
        tail = (tail + data)[-100:]
    assert received > 20 * len(message)
    sock.close()


@pytest.mark.rfc(3501, "7.1.5")
def test_goodbye_when_the_server_stops(tmp_path: Path) -> None:
    with running(tmp_path, FAST) as bench:
        idling, waiting = bench.log_in(select="INBOX"), bench.log_in()
        idling.send(b"i IDLE\r\n")
        idling.line()
        started = time.monotonic()
    for wire in (idling, waiting):
        assert wire.line() == b"* BYE [UNAVAILABLE] The server is stopping"
        assert wire.is_closed()
    assert time.monotonic() - started < 4


def test_goodbye_to_a_client_that_never_pauses(tmp_path: Path) -> None:
    with running(tmp_path, FAST) as bench:
        wire = bench.log_in()
        talker = threading.Thread(target=_talk_on, args=(wire,))
        talker.start()
        time.sleep(0.2)
        started = time.monotonic()
    assert (
        time.monotonic() - started < 4
    )  # the BYE itself is lost where octets arrive after the close
    talker.join()


def _talk_on(wire: Wire) -> None:
    try:
        while True:
            wire.send(b"a NOOP\r\n" * 50)
            time.sleep(0.001)
    except OSError:
        return


@pytest.mark.rfc(3501, "5.4")
def test_silence_ends_with_goodbye(tmp_path: Path) -> None:
    limits = replace(FAST, imap=replace(FAST.imap, idle_timeout_s=0.3, prelogin_timeout_s=0.4))
    with running(tmp_path, limits) as bench:
        wire = bench.log_in()
        assert wire.line() == b"* BYE Idle for too long"
        idling = bench.log_in(select="INBOX")
        idling.send(b"i IDLE\r\n")
        assert idling.until(b"* BYE")[-1] == b"* BYE Idle for too long"
        # a stranger cannot win time by dripping
        stranger = bench.connect()
        stranger.line()
        started = time.monotonic()
        try:
            while time.monotonic() - started < 3:
                stranger.send(b"a NOOP\r\n")
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - started < 2


@pytest.mark.rfc(3501, "11.2")
def test_guessing_passwords_ends(shared: Bench) -> None:
    wire = shared.connect()
    wire.line()
    for _ in range(4):
        assert wire.command("LOGIN alice@example.test wrong") == [
            b"x NO [AUTHENTICATIONFAILED] User name or password is wrong"
        ]
    assert wire.command("LOGIN nobody@example.test wrong")[0] == b"* BYE Too many failed log-ins"
    assert wire.is_closed()


def test_nonsense_ends(shared: Bench) -> None:
    wire = shared.connect()
    wire.line()
    wire.send(b"nonsense\r\n" * 30)
    assert len(wire.until(b"* BYE")) == 21
    assert wire.is_closed()


def test_a_disabled_account_is_sent_away(bench: Bench) -> None:
    wire, other = bench.log_in(select="INBOX"), bench.log_in("bob")
    wire.send(b"i IDLE\r\n")
    wire.line()
    bench.store.write_now(lambda tx: tx.accounts.set(bench.accounts["alice"], is_active=False))
    assert wire.line() == b"* BYE The account was disabled"
    assert wire.is_closed()
    assert other.command("NOOP") == [b"x OK NOOP completed."]


def test_input_of_all_connections_together_is_bounded(tmp_path: Path) -> None:
    limits = replace(FAST, connections=ConnectionLimits(input_memory=300_000))
    with running(tmp_path, limits) as bench:
        wires = [bench.log_in() for _ in range(4)]
        for wire in wires:
            wire.send(b"a SEARCH " + b"x" * 100_000)
        said = [wire.line(0.5) for wire in _readable(wires)]
        assert said == [b"* BYE [UNAVAILABLE] The server is overloaded"] * len(said)
        assert len(said) in (1, 2)


def test_recent_goes_to_one_session_and_is_remembered(tmp_path: Path) -> None:
    with running(tmp_path, FAST) as bench:
        bench.deliver()
        assert b"* 1 RECENT" in bench.log_in().command("SELECT INBOX")
        assert b"* 0 RECENT" in bench.log_in().command("SELECT INBOX")
        idling = bench.log_in(select="INBOX")
        idling.send(b"i IDLE\r\n")
        idling.line()
        bench.deliver()
        assert idling.until(b"* 1 RECENT")
        _wait_until(
            lambda: bench.store.read_now(
                lambda tx: tx.mailboxes.get(bench.accounts["alice"], "INBOX").recent_from == 3
            )
        )


def _readable(wires: list) -> list:
    until = time.monotonic() + 2
    while time.monotonic() < until:
        ready = select.select([w.sock for w in wires], [], [], 0.2)[0]
        if ready:
            time.sleep(0.2)
            ready = select.select([w.sock for w in wires], [], [], 0)[0]
            return [w for w in wires if w.sock in ready]
    return []


def _wait_until(claim) -> None:
    until = time.monotonic() + 5
    while not claim():
        assert time.monotonic() < until
        time.sleep(0.02)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_a_full_disk_under_the_spool(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client that sends hears it, what it still sends is passed over, and the connection goes on."""

    class Full(imap_content.Spool):
        def write(self, data: bytes) -> None:
            super().write(data)
            if self.size > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")

    wire = bench.log_in()
    monkeypatch.setattr(imap_content, "Spool", Full)
    wire.send(b"a APPEND INBOX {500000+}\r\n" + b"x" * 500_000 + b"\r\nb NOOP\r\n")
    assert wire.line().startswith(b"a NO [UNAVAILABLE]")
    assert wire.line() == b"b OK NOOP completed."
    monkeypatch.undo()
    wire.send(b"c APPEND INBOX {3}\r\n")
    assert wire.line() == b"+ Ready"
    wire.send(b"abc\r\n")
    assert wire.line().startswith(b"c OK [APPENDUID ")
    assert not list((bench.folder / "spool").iterdir())


def test_a_body_that_goes_while_it_is_sent(bench: Bench) -> None:
    """Its length was announced, so the connection ends; nobody gets octets that are not the message's."""
    bench.deliver(b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 65_536)
    wire = bench.log_in(select="INBOX")
    (file,) = [path for path in (bench.folder / "blobs").rglob("*") if path.is_file()]
    file.unlink()
    wire.send(b"a FETCH 1 BODY.PEEK[]\r\n")
    said = []
    while line := wire.line():
        said.append(line)
    assert len(said) <= 1
    assert not any(b"a OK" in line for line in said)
    assert bench.log_in().command("NOOP") == [b"x OK NOOP completed."]


def test_who_guesses_is_told_what_limit_it_is(tmp_path: Path) -> None:
    rates = RatesLimits(exempt=(), address=AddressRates(failed_logins_per_hour=3))
    with running(tmp_path, replace(FAST, rates=rates)) as bench:
        wire = bench.connect()
        wire.line()
        for n in range(3):
            wire.send(b"a LOGIN alice@example.test guess%d\r\n" % n)
            assert wire.line().startswith(b"a NO [AUTHENTICATIONFAILED]")
        wire.send(b'a LOGIN alice@example.test "' + PASSWORD.encode() + b'"\r\n')
        assert wire.line().startswith(
            b"a NO [LIMIT] Too many failed log-ins from 127.0.0.1: 3 in the last hour, 3 are allowed"
        )
        wire.send(b"b LOGIN alice@example.test guess\r\n")
        assert wire.line() == b"* BYE Too many failed log-ins"
        assert wire.line().startswith(b"b NO [LIMIT]")
        assert wire.line() == b""


def test_connections_by_the_minute(tmp_path: Path) -> None:
    rates = RatesLimits(exempt=(), address=AddressRates(connections_per_minute=1))
    with running(tmp_path, replace(FAST, rates=rates)) as bench:
        assert bench.connect().line().startswith(b"* OK")
        assert (
            bench.connect()
            .line()
            .startswith(
                b"* BYE [UNAVAILABLE] Too many connections from 127.0.0.1: 1 in the last minute"
            )
        )


def test_a_log_in_that_is_known_asks_the_store_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens ten connections costs one look at his password, in whatever way he says it."""
    first = bench.connect()
    first.line()
    assert first.command(f"LOGIN alice@example.test {PASSWORD}")[-1].startswith(b"x OK")
    time.sleep(0.3)  # what is noted of the first one
    asked: list[object] = []
    for name in ("read", "write"):
        known = getattr(bench.store, name)
        monkeypatch.setattr(
            bench.store, name, lambda *a, known=known, **kw: asked.append(a) or known(*a, **kw)
        )
    plain = "AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ="
    for command in (f"LOGIN alice@example.test {PASSWORD}", f"AUTHENTICATE PLAIN {plain}"):
        wire = bench.connect()
        wire.line()
        assert wire.command(command)[-1].startswith(b"x OK")
    assert asked == []
    assert bench.connect().line().startswith(b"* OK")
