r"""Mailboxes of others across worker processes: rights count at once everywhere, and everybody has \Seen of his own."""

import socket

import pytest

from outside.server import Ours, running
from servers.imap_bench import Wire


def log_in(server: Ours, who: int, *, select: str = "") -> Wire:
    wire = Wire(socket.create_connection(("127.0.0.1", server.ports["imap"]), 10))
    wire.line()
    account = server.accounts[who]
    assert b" OK " in wire.command(f'LOGIN {account.address} "{account.password}"')[-1]
    if select:
        assert b" OK " in wire.command(f'SELECT "{select}"')[-1]
    return wire


def old(line: bytes) -> bytes:
    r"""*line* without \Recent, which more than one session may have (RFC 3501 §2.3.2)."""
    return line.replace(b" \\Recent", b"")


@pytest.mark.rfc(4314, "5.1.1")
def test_rights_across_processes() -> None:
    with running(workers="2", count=2) as server:
        owner, guest = (account.address for account in server.accounts)
        theirs = f"Other Users/{owner}/INBOX"
        alice = log_in(server, 0, select="INBOX")
        assert b" OK " in alice.command("APPEND INBOX {3+}\r\nabc")[-1]
        assert b" OK " in alice.command(f"SETACL INBOX {guest} lrs")[-1]
        # the kernel spreads the connections: among eight, some are in each process
        idlers = [log_in(server, 1, select=theirs) for _ in range(4)]
        silent = [log_in(server, 1, select=theirs) for _ in range(4)]
        for idler in idlers:
            idler.send(b"i IDLE\r\n")
            assert idler.line() == b"+ idling"

        # his own \Seen reaches all of his sessions, and not the owner's
        assert silent[0].command("STORE 1 +FLAGS (\\Seen)")[-1] == b"x OK STORE completed."
        for idler in idlers:
            assert old(idler.line()) == b"* 1 FETCH (UID 1 FLAGS (\\Seen))"
        assert alice.command("FETCH 1 FLAGS")[-2] == b"* 1 FETCH (FLAGS (\\Recent))"
        assert b" OK " in alice.command("STORE 1 +FLAGS.SILENT (\\Flagged)")[-1]
        for idler in idlers:
            assert old(idler.line()) == b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen))"

        # what is taken away is gone at once, for those who idle and for those who come back
        assert b" OK " in alice.command(f"SETACL INBOX {guest} l")[-1]
        for idler in idlers:
            assert idler.line() == b"* BYE You may no longer read this mailbox."
            idler.is_closed()
        for wire in silent:
            wire.send(b"f FETCH 1 BODY[]\r\n")
            assert wire.line() == b"* BYE You may no longer read this mailbox."
            wire.is_closed()
        for wire in (log_in(server, 1) for _ in range(4)):
            assert wire.command(f'SELECT "{theirs}"')[-1].startswith(b"x NO [NOPERM]")
            assert wire.command('LIST "" "Other Users/*"')[0].endswith(b'INBOX"')
        assert b" OK " in alice.command(f"DELETEACL INBOX {guest}")[-1]
        for wire in (log_in(server, 1) for _ in range(4)):
            assert wire.command(f'SELECT "{theirs}"')[-1].startswith(b"x NO [NONEXISTENT]")
            assert len(wire.command('LIST "" "Other Users/*"')) == 1


@pytest.mark.rfc(4314, "2")
def test_what_an_administrator_changes_counts_at_once() -> None:
    """Groups and rights, changed on the command line while guests have the mailbox open in both processes."""
    with running(workers="2", count=2) as server:
        _, guest = (account.address for account in server.accounts)
        server.cli("group", "add", f"team@{server.domain}", guest)
        server.cli("shared", "add", f"desk@{server.domain}", "--for", f"group:team@{server.domain}")

        def idlers() -> list[Wire]:
            wires = [log_in(server, 1, select="Shared/desk") for _ in range(6)]
            for wire in wires:
                wire.send(b"i IDLE\r\n")
                assert wire.line() == b"+ idling"
            return wires

        def are_sent_away(wires: list[Wire]) -> None:
            for wire in wires:
                assert wire.line() == b"* BYE You may no longer read this mailbox."
                wire.is_closed()

        wires = idlers()
        server.cli("group", "remove", f"team@{server.domain}", guest)
        are_sent_away(wires)
        server.cli("acl", "set", f"desk@{server.domain}", guest, "lrs")
        wires = idlers()
        server.cli("acl", "set", f"desk@{server.domain}", f"-{guest}", "r")
        are_sent_away(wires)
        server.cli("acl", "set", f"desk@{server.domain}", f"-{guest}", "none")
        wires = idlers()
        server.cli("shared", "remove", f"desk@{server.domain}", "--yes")
        for wire in wires:
            assert wire.line() == b"* BYE The mailbox was deleted."
