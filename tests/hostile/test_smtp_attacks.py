"""SMTP clients that mean harm: smuggled messages, floods, endless lines, things said before TLS."""

import time

import pytest

from hostile.neighbour import beside, hear, pour, raw
from outside.mail import message, stored, without_trace
from outside.server import Ours
from outside.wire import Gone, Smtp, dotted

ENDINGS = {
    "LF . LF": b"\n.\n",
    "LF . CRLF": b"\n.\r\n",
    "CRLF . LF": b"\r\n.\n",
    "CR . CR": b"\r.\r",
    "CR . CRLF": b"\r.\r\n",
    "CRLF . CR": b"\r\n.\r",
    "LF . CR": b"\n.\r",
    "CR . LF": b"\r.\n",
    "CRLF . CRCRLF": b"\r\n.\r\r\n",
    "CRLF . NUL CRLF": b"\r\n.\0\r\n",
    "CRLF NUL . CRLF": b"\r\n\0.\r\n",
    "LF CR . LF CR": b"\n\r.\n\r",
    "CRLF . LFLF": b"\r\n.\n\n",
    "CRLF . VT": b"\r\n.\x0b",
    "CRLF . space CRLF": b"\r\n. \r\n",
    "LFLF . CRLF": b"\n\n.\r\n",
    "CRLF CRLF . LF": b"\r\n\r\n.\n",
}


class TestSmuggling:
    @pytest.mark.rfc(5321, "4.1.1.4")
    @pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
    def test_only_one_ending_ends(self, server: Ours, ending: bytes) -> None:
        """Whatever looks like an end of data, one DATA brings one reply and at most one message."""
        account = server.accounts[5]
        before = len(stored(server, account))
        smuggled = (
            b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % account.address.encode()
            + b"From: admin@example.test\r\nSubject: smuggled\r\n\r\nsmuggled"
        )
        with Smtp(server) as smtp:
            smtp.hello()
            smtp.envelope([account.address])
            smtp.wire.send(message("outer", "text")[:-2] + ending + smuggled + b"\r\n.\r\n")
            code, _ = smtp.reply()
            smtp.wire.send(b"NOOP\r\n")
            second, text = smtp.reply()
            assert second == 250, (second, text)
            smtp.wire.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                smtp.wire.line()
        held = stored(server, account)
        assert len(held) - before == (1 if code == 250 else 0)
        assert not [raw for raw in held.values() if without_trace(raw).startswith(b"From: admin")]

    @pytest.mark.rfc(5321, "2.3.8")
    @pytest.mark.parametrize("bad", [b"a\nb\r\n", b"a\rb\r\n", b"\n", b"\r", b"a\r\r\nb\r\n"])
    def test_a_bare_line_break_is_refused(self, server: Ours, bad: bytes) -> None:
        with Smtp(server) as smtp:
            smtp.hello()
            smtp.envelope([server.accounts[5].address])
            smtp.wire.send(message("bare") + bad + b"\r\n.\r\n")
            code, text = smtp.reply()
            assert code >= 500, text
            assert smtp.do("NOOP")[0] == 250

    def test_a_lone_cr_before_the_real_ending(self, server: Ours) -> None:
        """CR CRLF . CRLF has the one true ending in it: the message ends there, and is refused for its lone CR."""
        with Smtp(server) as smtp:
            smtp.hello()
            smtp.envelope([server.accounts[5].address])
            smtp.wire.send(message("outer", "text")[:-2] + b"\r\r\n.\r\nNOOP\r\n")
            assert smtp.reply()[0] >= 500
            assert smtp.reply()[0] == 250

    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    def test_the_ending_in_pieces(self, server: Ours, size: int) -> None:
        account = server.accounts[6]
        before = len(stored(server, account))
        raw_message = message("pieces", "a\r\n.b\r\n..\r\n")
        data = dotted(raw_message) + b"\r\n"
        with Smtp(server) as smtp:
            smtp.hello()
            smtp.envelope([account.address])
            for at in range(0, len(data), size):
                smtp.wire.send(data[at : at + size])
            assert smtp.reply()[0] == 250
        held = stored(server, account)
        assert len(held) == before + 1
        assert without_trace(held[max(held)]) == raw_message


class TestFloods:
    def test_a_line_without_an_end(self, server: Ours) -> None:
        with beside(server):
            sock = raw(server, "smtp")
            for _ in range(64):
                if not pour(sock, b"x" * 1_000_000, 5):
                    break
            sock.close()

    def test_data_without_an_end(self, server: Ours) -> None:
        """More than SIZE allows, in one line: refused, nothing kept."""
        with beside(server), Smtp(server, timeout_s=60) as smtp:
            limit = int(smtp.hello().partition("SIZE ")[2].split()[0])
            smtp.envelope([server.accounts[7].address])
            try:
                for _ in range(limit // 1_000_000 + 5):
                    smtp.wire.send(b"x" * 1_000_000)
                smtp.wire.send(b"\r\n.\r\n")
                assert smtp.reply()[0] >= 500
            except (Gone, OSError):
                pass
        assert stored(server, server.accounts[7]) == {}

    def test_dying_in_the_middle_leaves_nothing(self, server: Ours) -> None:
        for size in (10, 100_000, 3_000_000):
            smtp = Smtp(server)
            smtp.hello()
            smtp.envelope([server.accounts[7].address])
            smtp.wire.send(message("dying") + b"x" * 70 + b"\r\n" * (size // 2))
            smtp.close()
        time.sleep(0.5)
        assert stored(server, server.accounts[7]) == {}
        left = [p for p in (server.data / "spool").rglob("*") if p.is_file()]
        assert not left, left

    def test_nul_octets(self, server: Ours) -> None:
        with Smtp(server) as smtp:
            smtp.hello()
            smtp.envelope([server.accounts[6].address])
            smtp.wire.send(message("nul", "a\0b\r\n") + b".\r\n")
            code, _ = smtp.reply()
            assert code == 250 or code >= 500
            assert smtp.do("NO\0OP")[0] >= 500

    def test_recipients_without_number(self, server: Ours) -> None:
        with beside(server), Smtp(server) as smtp:
            smtp.hello()
            smtp.ok("MAIL FROM:<sender@example.org>")
            answers: dict[int, int] = {}
            try:
                for n in range(5_000):
                    smtp.wire.send(b"RCPT TO:<alice+%d@example.test>\r\n" % n)
                    code, _ = smtp.reply()
                    answers[code] = answers.get(code, 0) + 1
            except (Gone, OSError):
                pass
            assert answers[250] >= 100
            assert answers[250] < 5_000

    def test_unknown_recipients_end_the_connection(self, server: Ours) -> None:
        """Whoever tries names is not answered for ever."""
        with Smtp(server, timeout_s=40) as smtp:
            smtp.hello()
            smtp.ok("MAIL FROM:<sender@example.org>")
            tries = 0
            try:
                for n in range(2_000):
                    smtp.wire.send(b"RCPT TO:<nobody%d@example.test>\r\n" % n)
                    if smtp.reply()[0] == 421:
                        break
                    tries += 1
            except (Gone, OSError):
                pass
            assert tries < 500

    @pytest.mark.parametrize(
        "line",
        [
            b"MAIL FROM:<" + b"a" * 1900 + b"@example.org>",
            b"MAIL FROM:<a@b>" + b" X=Y" * 400,
            b"MAIL FROM:<" + b"@a," * 500 + b":b@c>",
            b"MAIL FROM:<" + b'"' * 1000,
            b"MAIL FROM:<a@b> SIZE=" + b"9" * 1000,
            b"EHLO " + b"[" * 1500,
            b"AUTH PLAIN " + b"A" * 1900,
            b"VRFY " + b"(" * 1900,
            b"HELP " + b"%s%n" * 400,
            b"RCPT TO:<a@b>" + b"\xff" * 1900,
            b"EHLO " + "é".encode() * 900,
        ],
        ids=lambda line: line[:16].decode("latin1"),
    )
    def test_a_monstrous_line(self, server: Ours, line: bytes) -> None:
        with Smtp(server, "submission") as smtp:
            smtp.hello()
            started = time.monotonic()
            assert smtp.do(line)[0] >= 250
            assert time.monotonic() - started < 3

    def test_slow_clients_wait_alone(self, server: Ours) -> None:
        with beside(server):
            socks = [raw(server, "smtp", f"127.0.2.{n % 250 + 1}") for n in range(300)]
            for octet in b"EHLO x":
                for sock in socks:
                    pour(sock, bytes([octet]), 2)
                time.sleep(0.2)
            for sock in socks:
                sock.close()

    def test_a_thousand_quick_messages_do_not_starve_the_reader(self, server: Ours) -> None:
        with beside(server), Smtp(server) as smtp:
            smtp.hello()
            line = (
                b"MAIL FROM:<s@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n"
                % server.accounts[8].address.encode()
            )
            for n in range(300):
                smtp.wire.send(line)
                assert [smtp.reply()[0] for _ in range(3)] == [250, 250, 354]
                smtp.wire.send(message(f"quick {n}") + b".\r\n")
                assert smtp.reply()[0] == 250


@pytest.mark.rfc(5321, "3.9.1")
@pytest.mark.parametrize(
    "recipient",
    [
        "bob@example.net",
        "bob%example.net@example.test",
        "example.net!bob",
        "@example.test:bob@example.net",
        '"bob@example.net"@example.test',
        "bob@example.net@example.test",
        "bob@[127.0.0.2]",
        "bob@example.test.",
        "bob@EXAMPLE.NET",
        "bob",
        '"bob@example.net"',
        "bob@example.net\\@example.test",
    ],
)
def test_no_open_relay(server: Ours, recipient: str) -> None:
    with Smtp(server) as smtp:
        smtp.hello()
        for sender in ("", "a@example.org", "alice@example.test", "postmaster"):
            if smtp.do(f"MAIL FROM:<{sender}>")[0] != 250:
                continue
            code, text = smtp.do(f"RCPT TO:<{recipient}>")
            assert code >= 400 or recipient == "bob@example.test.", (
                f"{recipient} from <{sender}>: {code} {text}"
            )
            smtp.ok("RSET")


def test_garbage(server: Ours) -> None:
    with beside(server):
        for which in ("smtp", "submission", "submissions"):
            sock = raw(server, which)
            for n in range(500):
                if not pour(sock, bytes((n * k) % 256 for k in range(200)) + b"\r\n", 2):
                    break
            hear(sock, 1)
            sock.close()
