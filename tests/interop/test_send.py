"""Mail goes in through swaks, curl and Python's smtplib, and comes out of IMAP unchanged."""

import email.message
import email.policy
import smtplib
from pathlib import Path

import pytest

from outside.mail import big, message, stored, without_trace
from outside.programs import run
from outside.server import Account, Server
from outside.wire import trusting

pytestmark = pytest.mark.rfc(5321, "3.3")


def swaks(home: Path, server: Server, which: str, *options: str) -> str:
    ends = ("--server", server.host, "--port", str(server.ports[which]))
    return run(
        home,
        "swaks",
        *ends,
        "--from",
        "sender@example.org",
        "--ehlo",
        "client.example.org",
        *options,
    )


def only(server: Server, account: Account) -> bytes:
    """The one message of the INBOX, without trace fields."""
    (raw,) = stored(server, account, count=1).values()
    return without_trace(raw)


@pytest.mark.needs("swaks")
class TestSwaks:
    def test_plain(self, server: Server, account: Account, tmp_path: Path) -> None:
        (tmp_path / "mail").write_bytes(message("by swaks").replace(b"\r\n", b"\n"))
        out = swaks(tmp_path, server, "smtp", "--to", account.address, "--data", "@mail")
        assert "<-  250" in out
        assert only(server, account).rstrip() == message("by swaks").rstrip()

    @pytest.mark.rfc(3207, "4")
    def test_starttls(self, server: Server, account: Account, tmp_path: Path) -> None:
        out = swaks(tmp_path, server, "smtp", "--to", account.address, "--tls")
        assert "=== TLS started" in out
        assert len(stored(server, account, count=1)) == 1

    @pytest.mark.rfc(8314, "3.3")
    @pytest.mark.rfc(4616, "2")
    @pytest.mark.parametrize(
        ("which", "tls"), [("submission", "--tls"), ("submissions", "--tls-on-connect")]
    )
    @pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
    def test_submission(
        self, server: Server, account: Account, tmp_path: Path, which: str, tls: str, mechanism: str
    ) -> None:
        secret = (
            "--auth",
            mechanism,
            "--auth-user",
            account.address,
            "--auth-password",
            account.password,
        )
        out = swaks(
            tmp_path,
            server,
            which,
            "--from",
            account.address,
            "--to",
            account.address,
            tls,
            *secret,
        )
        assert "<~  235" in out
        assert len(stored(server, account, count=1)) == 1

    @pytest.mark.rfc(2920, "3.1")
    def test_pipelining_with_many_recipients(
        self, server: Server, account: Account, other: Account, tmp_path: Path
    ) -> None:
        to = f"{account.address},nobody-here@example.test,{other.address}"
        out = swaks(tmp_path, server, "smtp", "--to", to, "--pipeline")
        assert "<** 550" in out
        assert len(stored(server, account, count=1)) == len(stored(server, other, count=1)) == 1

    def test_no_relay(self, server: Server, tmp_path: Path) -> None:
        ends = ("--server", server.host, "--port", str(server.ports["smtp"]))
        out = run(
            tmp_path, "swaks", *ends, "--from", "a@example.org", "--to", "b@example.net", ok=(24,)
        )
        assert "<** 5" in out


@pytest.mark.needs("curl")
@pytest.mark.parametrize("which", ["smtp", "submissions"])
def test_curl_sends(server: Server, account: Account, tmp_path: Path, which: str) -> None:
    scheme = "smtps" if which == "submissions" else "smtp"
    sender = account.address if which == "submissions" else "sender@example.org"
    raw = message("by curl", From=sender)
    (tmp_path / "mail").write_bytes(raw)
    login = ("-u", f"{account.address}:{account.password}") if which == "submissions" else ()
    url = f"{scheme}://{server.host}:{server.ports[which]}/client.example.org"
    ends = ("--mail-from", sender, "--mail-rcpt", account.address, "-T", "mail")
    run(tmp_path, "curl", "-sSk", url, *ends, *login)
    assert only(server, account) == raw


class TestSmtplib:
    def test_plain_to_many(self, server: Server, account: Account, other: Account) -> None:
        raw = message("by smtplib", ".\r\n..\r\n.dots\r\nend\r\n")
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=30) as smtp:
            everyone = [account.address, "nobody-here@example.test", other.address]
            refused = smtp.sendmail("sender@example.org", everyone, raw)
        assert list(refused) == ["nobody-here@example.test"]
        assert refused["nobody-here@example.test"][0] == 550
        assert only(server, account) == only(server, other) == raw

    def test_the_trace_stands_on_top(self, server: Server, account: Account) -> None:
        raw = message("traced")
        with smtplib.SMTP(
            server.host, server.ports["smtp"], "client.example.org", timeout=30
        ) as smtp:
            smtp.sendmail("sender@example.org", [account.address], raw)
        (got,) = stored(server, account, count=1).values()
        head = got[: -len(raw)]
        assert got.endswith(raw)
        assert head.startswith(b"Return-Path: <sender@example.org>\r\n")
        assert b"\r\nReceived: from client.example.org" in head

    def test_starttls_login_and_many_messages_on_one_connection(
        self, server: Server, account: Account
    ) -> None:
        with smtplib.SMTP(server.host, server.ports["submission"], timeout=30) as smtp:
            smtp.starttls(context=trusting())
            smtp.login(account.address, account.password)
            for n in range(20):
                smtp.sendmail(
                    account.address, [account.address], message(f"number {n}", From=account.address)
                )
        held = sorted(stored(server, account, count=20).items())
        bodies = [without_trace(raw) for _, raw in held]
        if not server.delivers_at_once:
            bodies.sort(key=lambda raw: int(raw.partition(b"number ")[2].split()[0]))
        assert bodies == [message(f"number {n}", From=account.address) for n in range(20)]

    def test_implicit_tls(self, server: Server, account: Account) -> None:
        ends = (server.host, server.ports["submissions"])
        with smtplib.SMTP_SSL(*ends, timeout=30, context=trusting()) as smtp:
            smtp.login(account.address, account.password)
            smtp.sendmail(
                account.address, [account.address], message("implicit", From=account.address)
            )
        assert only(server, account) == message("implicit", From=account.address)

    def test_wrong_password(self, server: Server, account: Account) -> None:
        with smtplib.SMTP(server.host, server.ports["submission"], timeout=30) as smtp:
            smtp.starttls(context=trusting())
            with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
                smtp.login(account.address, "wrong")
            assert caught.value.smtp_code == 535
            with pytest.raises(smtplib.SMTPException):
                smtp.sendmail(account.address, [account.address], message("no"))

    @pytest.mark.rfc(6531, "3.4")
    def test_eight_bits_and_utf8(self, server: Server, account: Account) -> None:
        if server.name == "postfix-dovecot":
            pytest.skip("Dovecot's LMTP has no SMTPUTF8")
        mail = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
        mail["From"], mail["To"], mail["Subject"] = (
            "Grüße <sender@example.org>",
            account.address,
            "Grüße",
        )
        mail.set_content("Füße, 漢字\n", cte="8bit")
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=30) as smtp:
            smtp.send_message(
                mail, "sender@example.org", [account.address], ["SMTPUTF8", "BODY=8BITMIME"]
            )
        assert only(server, account) == mail.as_bytes()

    @pytest.mark.rfc(1870, "6")
    def test_twelve_megabytes(self, server: Server, account: Account) -> None:
        raw = big("large", 12_000_000)
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
            smtp.sendmail("sender@example.org", [account.address], raw)
        assert only(server, account) == raw

    @pytest.mark.rfc(1870, "6.1")
    def test_declared_too_large(self, server: Server, account: Account) -> None:
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=30) as smtp:
            smtp.ehlo()
            limit = int(smtp.esmtp_features["size"])
            code, _ = smtp.mail("sender@example.org", [f"SIZE={limit + 1}"])
        assert code == 552
