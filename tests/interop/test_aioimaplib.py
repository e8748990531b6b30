"""aioimaplib, the client of Home Assistant."""

import asyncio

import pytest

from outside.mail import message
from outside.server import Account, Server

pytestmark = pytest.mark.needs("python:aioimaplib")
aioimaplib = pytest.importorskip("aioimaplib")


def test_a_whole_session(server: Server, account: Account) -> None:
    asyncio.run(session(server, account))


async def session(server: Server, account: Account) -> None:
    imap = aioimaplib.IMAP4(server.host, server.ports["imap"], timeout=20)
    await imap.wait_hello_from_server()
    assert (await imap.login(account.address, account.password)).result == "OK"
    assert imap.has_capability("IDLE")
    for n in range(4):
        assert (await imap.append(message(f"number {n}"), mailbox="INBOX")).result == "OK"
    assert (await imap.list('""', "*")).result == "OK"
    assert (await imap.create("Copies")).result == "OK"
    assert (await imap.select("INBOX")).result == "OK"
    found = await imap.search("SUBJECT", '"number 2"')
    assert found.lines[0] in (b"3", "3")
    got = await imap.fetch("3", "(UID FLAGS BODY.PEEK[])")
    assert got.result == "OK"
    assert message("number 2") in [
        bytes(line) for line in got.lines if isinstance(line, (bytes, bytearray))
    ]
    assert (await imap.store("3", "+FLAGS (\\Flagged)")).result == "OK"
    assert (await imap.copy("3", "Copies")).result == "OK"
    assert (await imap.uid("move", "1", "Copies")).result == "OK"

    idle = await imap.idle_start(timeout=20)
    second = aioimaplib.IMAP4(server.host, server.ports["imap"], timeout=20)
    await second.wait_hello_from_server()
    await second.login(account.address, account.password)
    await second.append(message("wake up"), mailbox="INBOX")
    heard = b""
    while b"4 EXISTS" not in heard:
        lines = await imap.wait_server_push(timeout=20)
        heard += (
            b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n"
        )
    imap.idle_done()
    await asyncio.wait_for(idle, 10)
    await second.logout()

    await imap.store("1", "+FLAGS (\\Deleted)")
    assert (await imap.expunge()).result == "OK"
    left = await imap.search("ALL")
    assert len(left.lines[0].split()) == 3
    assert (await imap.logout()).result == "OK"
