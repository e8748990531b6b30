"""Mail of users leaves through a smarthost that wants TLS and a log-in, as configuration and command line say."""

from __future__ import annotations

import smtplib
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailserver.net.tls import ServerTls, self_signed
from misbehaving import NextHop
from outside.mail import message
from outside.meter import wait_until
from outside.server import running


@pytest.mark.rfc(8314, "3.3")
@pytest.mark.parametrize("begins_with_tls", [False, True])
def test_a_smarthost_with_log_in(tmp_path: Path, begins_with_tls: bool) -> None:
    if begins_with_tls and not may_listen_below_1024():
        pytest.skip("needs root to listen on port 465")
    files = self_signed(tmp_path, "hop.example", datetime.fromtimestamp(time.time(), UTC))
    tls = ServerTls(files).context
    with NextHop(
        extensions=("AUTH LOGIN", "8BITMIME", "SIZE 1000000"),
        tls=tls,
        begins_with_tls=begins_with_tls,
        **({"address": "127.0.0.77", "port": 465} if begins_with_tls else {}),
    ) as hop:
        there = f"{hop.address}:{hop.port}"
        with running(settings=f'outbound: {{smarthost: "{there}"}}\n', count=2) as server:
            server.cli(
                *("route", "login", f"smtp:{there}", "--user", "us", "--tls", "encrypt"),
                "--password-stdin",
                stdin="a secret\n",
            )
            alice = server.account()
            with smtplib.SMTP(server.host, server.ports["submission"]) as client:
                client.login(alice.address, alice.password)
                client.sendmail(
                    alice.address, ["bob@elsewhere.example"], message("out", From=alice.address)
                )
            wait_until(lambda: bool(hop.messages), 20)
            said = server.tail(1_000)
    (taken,) = hop.messages
    assert taken.is_tls
    assert b"Subject: out\r\n" in taken.content
    assert taken.rcpts == [b"RCPT TO:<bob@elsewhere.example>"]
    assert b"dXM=" in hop.commands  # "us", in answer to the prompt
    assert b"YSBzZWNyZXQ=" in hop.commands
    assert said
    assert "a secret" not in said


def may_listen_below_1024() -> bool:
    try:
        socket.create_server(("127.0.0.77", 465)).close()
    except PermissionError:
        return False
    return True
