"""Commands slipped in before the TLS handshake are not heard after it, and nothing said before it counts.

Spec: RFC 3207 §4.2; RFC 3501 §6.2.1; RFC 9051 §11.1.
"""

import socket
from contextlib import suppress

import pytest

from hostile.neighbour import beside
from outside.server import Ours
from outside.wire import Imap, Smtp

INJECTED_SMTP = [
    b"NOOP\r\n",
    b"EHLO evil.test\r\nMAIL FROM:<a@evil.test>\r\nRCPT TO:<u14@example.test>\r\nDATA\r\nx\r\n.\r\n",
    b"NOO",
    b"\r\n" * 100,
    b"X" * 300_000,
]
INJECTED_IMAP = [
    b"x1 NOOP\r\n",
    b'x1 LOGIN u14@example.test "correct horse 7"\r\nx2 CREATE injected\r\n',
    b"x1 APPEND INBOX {10",
    b"x1 LOGIN {5+}\r\n",
    b"\r\n" * 100,
    b"x" * 300_000,
]


@pytest.mark.rfc(3207, "4.2")
@pytest.mark.parametrize("which", ["smtp", "submission"])
def test_smtp(server: Ours, which: str) -> None:
    """One write carries STARTTLS and what the attacker adds, so that both are in the server's buffer."""
    with beside(server):
        for injected in INJECTED_SMTP:
            with Smtp(server, which) as smtp:
                smtp.hello()
                smtp.wire.send(b"STARTTLS\r\n" + injected)
                assert smtp.reply()[0] == 220
                try:
                    smtp.wire.start_tls()
                except OSError:
                    continue  # the rest of the octets came later and was no ClientHello: no session at all
                assert smtp.do("MAIL FROM:<a@b.test>")[0] == 503, "EHLO is forgotten"
                assert "STARTTLS" not in smtp.hello()
                assert smtp.do("NOOP")[0] == 250
        with Imap(server, server.accounts[14]) as imap:
            assert imap.select("INBOX").number("EXISTS") == 0


@pytest.mark.rfc(3501, "6.2.1")
def test_imap(server: Ours) -> None:
    with beside(server):
        for injected in INJECTED_IMAP:
            with Imap(server) as imap:
                imap.wire.send(b"a STARTTLS\r\n" + injected)
                assert imap.wire.line().startswith(b"a OK")
                try:
                    imap.wire.start_tls()
                except OSError:
                    continue
                imap.wire.send(b"b NOOP\r\n")
                assert imap.wire.line().startswith(b"b OK"), (
                    "the first answer is to the first command"
                )
                assert imap.do("SELECT INBOX").status == b"BAD", "nobody has logged in"
        with Imap(server, server.accounts[14]) as imap:
            assert not [line for line in imap.ok('LIST "" *').untagged if b"injected" in line]


@pytest.mark.rfc(3207, "4.2")
def test_a_log_in_before_tls_does_not_count_after_it(server: Ours) -> None:
    account = server.accounts[14]
    with Smtp(server, "submission") as smtp:
        smtp.hello()
        smtp.login(account)
        smtp.ok(f"MAIL FROM:<{account.address}>")
        code, _ = smtp.do("STARTTLS")
        if code == 220:
            smtp.wire.start_tls()
            smtp.hello()
            assert smtp.do(f"MAIL FROM:<{account.address}>")[0] == 530
        else:
            assert code == 503


def test_garbage_instead_of_a_handshake(server: Ours) -> None:
    with beside(server):
        for which, command in (
            ("smtp", b"EHLO a.test\r\nSTARTTLS\r\n"),
            ("imap", b"a STARTTLS\r\n"),
        ):
            for garbage in (
                b"\x00" * 5000,
                b"GET / HTTP/1.0\r\n\r\n",
                b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
                b"",
            ):
                with Smtp(server) if which == "smtp" else Imap(server) as client:
                    client.wire.send(command)
                    line = client.wire.line()
                    while line[:4] not in (b"220 ", b"a OK"):
                        line = client.wire.line()
                    client.wire.send(garbage)
                    with suppress(OSError):  # it may have hung up already
                        client.wire.socket.shutdown(socket.SHUT_WR)
                    assert client.wire.is_closed()
