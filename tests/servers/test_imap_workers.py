"""What one worker process commits, the clients of another one hear."""

import socket
import time

from outside.server import Ours, running
from servers.imap_bench import Wire


def log_in(server: Ours, *, select: str = "") -> Wire:
    wire = Wire(socket.create_connection(("127.0.0.1", server.ports["imap"]), 10))
    wire.line()
    account = server.accounts[0]
    assert b" OK " in wire.command(f'LOGIN {account.address} "{account.password}"')[-1]
    if select:
        assert b" OK " in wire.command(f"SELECT {select}")[-1]
    return wire


def test_idle_across_processes() -> None:
    with running(workers="2", count=2) as server:
        # the kernel spreads the connections: among twelve, some are in each process
        idlers = [log_in(server, select="INBOX") for _ in range(12)]
        for idler in idlers:
            idler.send(b"i IDLE\r\n")
            assert idler.line() == b"+ idling"
        writers = [log_in(server) for _ in range(6)]
        took: list[float] = []
        for count, writer in enumerate(writers, 1):
            started = time.monotonic()
            assert b" OK " in writer.command("APPEND INBOX {3+}\r\nabc")[-1]
            for idler in idlers:
                assert idler.line() == b"* %d EXISTS" % count
                idler.line()
            took.append(time.monotonic() - started)
        assert sorted(took)[len(took) // 2] < 0.5  # 50 ms, where nothing else runs
        writers[0].command("SELECT INBOX")
        assert b" OK " in writers[0].command("STORE 1:2 +FLAGS.SILENT (\\Deleted)")[-1]
        for idler in idlers:
            assert idler.line().startswith(b"* 1 FETCH (UID 1 FLAGS (\\Deleted")
            assert idler.line().startswith(b"* 2 FETCH (UID 2 FLAGS (\\Deleted")
        assert b" OK " in writers[0].command("EXPUNGE")[-1]
        for idler in idlers:
            assert [idler.line(), idler.line()] == [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
            idler.send(b"DONE\r\n")
            assert idler.until(b"i ")[-1] == b"i OK IDLE terminated."
            assert len(idler.command("UID SEARCH ALL")[0].split()) == 2 + 4
