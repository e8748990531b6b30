"""Chunks that mean harm: commands inside them, octets that never come, more of them than anybody would send."""

import threading

import pytest

from hostile.neighbour import beside
from outside.mail import message, stored, without_trace
from outside.server import Ours
from outside.wire import Gone, Smtp

SMUGGLED = (
    b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<%s>\r\nBDAT 30 LAST\r\n"
    b"From: admin@example.test\r\n\r\nx\r\n"
)


@pytest.mark.rfc(3030, "2")
@pytest.mark.parametrize("last", [b"", b" LAST"])
@pytest.mark.parametrize("fails", ["bare", "large", "early", "mixed"])
def test_octets_of_a_refused_chunk_are_no_commands(server: Ours, last: bytes, fails: str) -> None:
    account = server.accounts[9]
    before = len(stored(server, account))
    inside = SMUGGLED % account.address.encode()
    with Smtp(server) as smtp:
        limit = int(smtp.hello().partition("SIZE ")[2].split()[0])
        if fails == "mixed":
            smtp.envelope([account.address])
        elif fails != "early":
            smtp.ok("MAIL FROM:<sender@example.org>")
            smtp.ok(f"RCPT TO:<{account.address}>")
        if fails == "mixed":
            smtp.wire.send(message("outer") + b".\r\n")
            assert smtp.reply()[0] == 250
            before += 1
        if fails == "bare":
            inside = b"\n" + inside
        if fails == "large":
            inside = b"x" * (limit - len(inside) + 1) + b"\r\n" + inside
        smtp.wire.send(b"BDAT %d%s\r\n" % (len(inside), last) + inside + b"NOOP\r\n")
        assert smtp.reply()[0] >= 500
        assert smtp.reply() == (250, "2.0.0 OK")
    held = stored(server, account)
    assert len(held) == before
    assert not [raw for raw in held.values() if without_trace(raw).startswith(b"From: admin")]


def test_octets_that_never_come(server: Ours) -> None:
    """Announced and not sent: nothing is kept for them."""
    before = stored(server, server.accounts[8])
    with beside(server):
        waiting = []
        for _ in range(100):
            smtp = Smtp(server)
            limit = int(smtp.hello().partition("SIZE ")[2].split()[0])
            smtp.ok("MAIL FROM:<sender@example.org>")
            smtp.ok(f"RCPT TO:<{server.accounts[8].address}>")
            smtp.wire.send(b"BDAT %d LAST\r\nx" % limit)
            waiting.append(smtp)
        for smtp in waiting:
            smtp.close()
    assert stored(server, server.accounts[8]) == before


def test_chunks_without_number(server: Ours) -> None:
    """An octet a chunk from four clients, 50,000 from each: others are served, memory stays what it was."""

    def pour() -> None:
        with Smtp(server, timeout_s=60) as smtp:
            smtp.hello()
            smtp.ok("MAIL FROM:<sender@example.org>")
            smtp.ok(f"RCPT TO:<{server.accounts[8].address}>")
            listening = threading.Thread(target=hear, args=(smtp,), daemon=True)
            listening.start()
            try:
                for _ in range(50):
                    smtp.wire.send(b"BDAT 1\r\nx" * 1_000)
            except (Gone, OSError):
                pass
            smtp.close()
            listening.join(10)

    def hear(smtp: Smtp) -> None:
        try:
            while smtp.reply()[0] == 250:
                pass
        except (Gone, OSError, ValueError):
            pass

    before = stored(server, server.accounts[8])
    with beside(server):
        clients = [threading.Thread(target=pour, daemon=True) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(120)
    assert stored(server, server.accounts[8]) == before
