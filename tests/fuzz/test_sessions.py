"""Whole sessions over real sockets: valid transcripts with octets dropped, doubled, swapped and corrupted.

The server ends every one of them when its client does, whatever was said; nobody else notices, and nothing is a bug.
Each failure names its number: `MAILSERVER_FUZZ=NUMBER` plays that one first.
"""

import base64
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from fuzz.mutate import Dice, conversations, mutated
from hostile.neighbour import beside, besieged, raw
from outside.fixtures import full
from outside.server import PASSWORD, Account, Ours

__all__ = ["full"]

FIRST = int(os.environ.get("MAILSERVER_FUZZ", "0"))
ENDED_S = 15.0  #: from the client's last octet to the server's hanging up, on a busy machine
SETTINGS = (
    "limits:\n"
    "  smtp: {idle_commands: 1000000, error_delay_s: 0.0, auth_failures: 3}\n"
    "  imap: {auth_delay_s: 0.0, mailboxes: 200}\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Ours]:
    with besieged(SETTINGS, count=6) as ours:
        yield ours


def play(server: Ours, which: str, data: bytes, dice: Dice) -> None:
    """Send it in one to four pieces, then no more; the server must come to an end."""
    with raw(server, which, f"127.0.5.{1 + dice.below(200)}", ENDED_S) as sock:
        cuts = sorted(dice.below(len(data) + 1) for _ in range(dice.below(4)))
        try:
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                sock.sendall(data[start:end])
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 18):
                pass
        except TimeoutError:
            raise
        except OSError:
            pass  # cut off for what it said: fair


def fuzz(
    server: Ours,
    which: str,
    scripts: Sequence[Sequence[bytes]],
    begin: Callable[[Account, Dice], bytes],
    budget_s: float,
) -> int:
    """How many sessions there was time for."""
    end, number = time.monotonic() + budget_s, FIRST
    with beside(server):
        while time.monotonic() < end:
            dice = Dice(which, number)
            account = server.accounts[1 + dice.below(5)]
            data = begin(account, dice) + mutated(dice.one_of(scripts), scripts, dice)
            try:
                play(server, which, data, dice)
            except TimeoutError:
                pytest.fail(f"session {number} did not end: {data[:2000]!r}\n{server.tail()}")
            number += 1
    print(f"FUZZ {which}: {number - FIRST} sessions")
    return number - FIRST


def imap_login(account: Account, dice: Dice) -> bytes:
    said = f'L LOGIN "{account.address}" "{PASSWORD}"\r\n'.encode()
    return b"" if dice.below(5) == 0 else said + (b"", b"S SELECT INBOX\r\n")[dice.below(2)]


def smtp_begin(account: Account, dice: Dice) -> bytes:
    return (b"", b"EHLO client.test\r\n", _envelope("a@sender.test", account))[dice.below(3)]


def submission_begin(account: Account, dice: Dice) -> bytes:
    secret = base64.b64encode(f"\0{account.address}\0{PASSWORD}".encode())
    hello = b"EHLO client.test\r\nAUTH PLAIN " + secret + b"\r\n"
    return (b"", hello, hello + _envelope(account.address, account))[dice.below(3)]


def _envelope(sender: str, account: Account) -> bytes:
    return (
        f"EHLO client.test\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{account.address}>\r\nDATA\r\n"
    ).encode()


def test_imap(server: Ours, full: Callable[[int, int], int]) -> None:
    scripts = conversations("imap")
    assert fuzz(server, "imap", scripts, imap_login, full(15, 1_800)) > 20


def test_smtp(server: Ours, full: Callable[[int, int], int]) -> None:
    scripts = conversations("smtp/mx", "smtp/limits")
    assert fuzz(server, "smtp", scripts, smtp_begin, full(8, 900)) > 20


def test_submission(server: Ours, full: Callable[[int, int], int]) -> None:
    scripts = conversations("smtp/submission", "smtp/mechanisms", "smtp/mx")
    assert fuzz(server, "submission", scripts, submission_begin, full(7, 900)) > 20


def test_the_same_number_gives_the_same_session() -> None:
    scripts = conversations("imap")
    made = [mutated(scripts[0], scripts, Dice("imap", n)) for n in range(50)]
    assert made == [mutated(scripts[0], scripts, Dice("imap", n)) for n in range(50)]
    assert len(set(made)) == 50
    assert b"".join(scripts[0]) not in made
