"""What only some programs do: LMTP, PROXY headers, submission with blind copies, many connections at once, notices."""

import asyncio
import email
import email.policy
import smtplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import aiosmtplib
import pytest

from outside.mail import message, stored, without_trace
from outside.meter import wait_until
from outside.programs import run
from outside.server import Ours, running
from outside.wire import trusting


@pytest.fixture(scope="module")
def ours() -> Iterator[Ours]:
    with running(count=20) as server:
        yield server


@pytest.mark.needs("smtp-source")
@pytest.mark.rfc(5321, "3.3")
@pytest.mark.parametrize("options", [(), ("-d",), ("-L",)])
def test_many_at_once(ours: Ours, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Postfix's own load generator; -d: many messages on a connection, -L: LMTP."""
    server = ours
    account = server.account()
    port = server.ports["lmtp" if "-L" in options else "smtp"]
    ends = ("-f", "sender@example.org", "-t", account.address, f"{server.host}:{port}")
    run(tmp_path, "smtp-source", "-s", "4", "-m", "40", "-l", "3000", *options, *ends)
    held = stored(server, account, count=40)
    assert all(raw.count(b"\r\nReceived:") == 1 for raw in held.values())


@pytest.mark.needs("swaks")
@pytest.mark.rfc(2033, "4.2")
def test_swaks_speaks_lmtp(ours: Ours, tmp_path: Path) -> None:
    server = ours
    one, other = server.account(), server.account()
    out = run(
        tmp_path, "swaks", "--protocol", "LMTP", "--server", server.host, "--port", str(server.ports["lmtp"]),
        "--from", "sender@example.org", "--to", f"{one.address},{other.address}",
    )  # fmt: skip
    assert out.count("<-  250 2.0.0 Taken as") == 2
    assert len(stored(server, one, count=1)) == len(stored(server, other, count=1)) == 1


@pytest.mark.needs("swaks")
@pytest.mark.parametrize(("version", "family"), [("1", "TCP4"), ("2", "AF_INET")])
def test_swaks_comes_through_a_proxy(tmp_path: Path, version: str, family: str) -> None:
    with running(settings='proxy_protocol: {networks: ["127.0.0.0/8"]}\n', count=2) as server:
        account = server.account()
        out = run(
            tmp_path, "swaks", "--server", server.host, "--port", str(server.ports["smtp"]),
            "--from", "sender@example.org", "--to", account.address, "--ehlo", "client.example",
            "--proxy-version", version, "--proxy-family", family, "--proxy-source", "203.0.113.9",
            "--proxy-source-port", "41000", "--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25",
            "--proxy-protocol", "STREAM", "--proxy-command", "PROXY",
        )  # fmt: skip
        assert "<-  250 2.0.0 Taken as" in out
        assert wait_until(lambda: "203.0.113.9" in server.log.read_text(), 10, 0.1)
        for which in ("imap", "imaps"):
            with socket.create_connection((server.host, server.ports[which]), 20) as plain:
                plain.sendall(b"PROXY TCP6 2001:db8::9 2001:db8::1 41000 143\r\n")
                with trusting().wrap_socket(plain) if which == "imaps" else plain as sock:
                    assert sock.recv(100).startswith(b"* OK ")


@pytest.mark.needs("msmtp")
@pytest.mark.rfc(6409, "8.2", "8.3")
def test_msmtp_submits_with_blind_copies(ours: Ours, tmp_path: Path) -> None:
    server = ours
    sender, open_, blind = server.account(), server.account(), server.account()
    (tmp_path / "msmtprc").write_text(
        f"account default\nhost {server.host}\nport {server.ports['submission']}\ntls on\n"
        f"tls_certcheck off\nauth on\nuser {sender.address}\npassword {sender.password}\n"
        f"from {sender.address}\nset_date_header off\nset_msgid_header off\n"
        "remove_bcc_headers off\ndsn_notify success\ndsn_return headers\n"
    )
    (tmp_path / "msmtprc").chmod(0o600)
    (tmp_path / "mail").write_text(
        f"From: {sender.address}\nTo: {open_.address}\nBcc: {blind.address}\nSubject: x\n\nhello\n"
    )
    run(tmp_path, "sh", "-c", "msmtp -C msmtprc -t < mail")
    (one,) = stored(server, open_, count=1).values()
    (other,) = stored(server, blind, count=1).values()
    assert one == other
    assert blind.address.encode() not in one
    parsed = email.message_from_bytes(one, policy=email.policy.SMTP)
    assert parsed["Date"]
    assert parsed["Message-ID"].endswith("@mail.example.test>")
    (notice,) = stored(server, sender, count=1).values()
    report = email.message_from_bytes(notice, policy=email.policy.SMTP)
    assert report.get_content_type() == "multipart/report"


@pytest.mark.rfc(3461, "4")
def test_aiosmtplib_sends_many_at_once(ours: Ours) -> None:
    server = ours
    sender, recipient = server.account(), server.account()

    async def send(client: aiosmtplib.SMTP, n: int) -> None:
        await client.sendmail(
            sender.address,
            [recipient.address],
            message(f"number {n}", From=sender.address),
            mail_options=["RET=HDRS", f"ENVID=n{n}"],
            rcpt_options=["NOTIFY=NEVER", f"ORCPT=rfc822;{recipient.address}"],
        )

    async def one(k: int) -> None:
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.ports["submission"],
            start_tls=True,
            tls_context=trusting(),
        )
        async with client:
            await client.login(sender.address, sender.password)
            for n in range(10 * k, 10 * k + 10):
                await send(client, n)

    async def everybody() -> None:
        await asyncio.gather(*(one(k) for k in range(5)))

    asyncio.run(everybody())
    held = {without_trace(raw) for raw in stored(server, recipient, count=50).values()}
    assert held == {message(f"number {n}", From=sender.address) for n in range(50)}
    assert stored(server, sender) == {}


@pytest.mark.rfc(4865, "3", "4")
def test_a_message_is_held_back_for_as_long_as_was_asked(ours: Ours) -> None:
    sender, recipient = ours.account(), ours.account()
    with smtplib.SMTP(ours.host, ours.ports["submission"], timeout=30) as client:
        client.starttls(context=trusting())
        client.login(sender.address, sender.password)
        assert client.esmtp_features["futurerelease"].startswith("2592000 ")
        began = time.monotonic()
        raw = message("later", From=sender.address)
        client.sendmail(sender.address, [recipient.address], raw, ["HOLDFOR=3"])
    assert stored(ours, recipient) == {}
    assert "pending" in ours.cli("queue", "list").stdout
    assert wait_until(lambda: bool(stored(ours, recipient)), 30, 0.2)
    assert time.monotonic() - began >= 2
    (held,) = stored(ours, recipient).values()
    assert without_trace(held) == raw
