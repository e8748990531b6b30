"""getmail6 fetches a mailbox, and then only what is new."""

import email
import email.policy
import getpass
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from outside.corpus import Sample
from outside.mail import fill, message, stored
from outside.programs import home_for, run
from outside.server import Account, Server
from outside.wire import Imap

pytestmark = pytest.mark.needs("getmail")

USER = "nobody" if os.geteuid() == 0 else None  # it will not write mail as root


@pytest.fixture
def home() -> Iterator[Path]:
    folder = home_for(USER or getpass.getuser())
    yield folder
    shutil.rmtree(folder)


def getmail(home: Path, *options: str) -> None:
    """One run that ends well.

    getmail starts a process for each message, and waits in vain for one that ends too soon; on one processor they
    hardly do.  What such a run has fetched, the next one fetches again.
    """
    where = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "-c", where, "getmail", "--getmaildir", home, "--rcfile", "getmailrc"]
    before = set((home / "mail/new").iterdir())
    for limit_s in (30, 30, 30, 120):
        try:
            run(home, *command, *options, limit_s=limit_s, user=USER)
        except subprocess.TimeoutExpired:
            for path in set((home / "mail/new").iterdir()) - before:
                path.unlink()
        else:
            return
    raise AssertionError("getmail never came to its end")


def fetched(home: Path) -> Counter[bytes]:
    return Counter(p.read_bytes().replace(b"\n", b"\r\n") for p in (home / "mail/new").iterdir())


@pytest.mark.parametrize("kind", ["SimpleIMAPRetriever", "SimpleIMAPSSLRetriever"])
def test_getmail(
    server: Server, account: Account, samples: list[Sample], home: Path, kind: str
) -> None:
    clean = [s for s in samples if s.is_clean and len(s.raw) < 20_000 and survives_python(s.raw)][
        :60
    ]
    with Imap(server, account) as imap:
        fill(imap, "INBOX", clean)
    for folder in ("mail", "mail/cur", "mail/new", "mail/tmp"):
        (home / folder).mkdir()
        shutil.chown(home / folder, USER or -1)
    port = server.ports["imaps" if "SSL" in kind else "imap"]
    (home / "getmailrc").write_text(
        f"[retriever]\ntype = {kind}\nserver = {server.host}\nport = {port}\nusername = {account.address}\n"
        f"password = {account.password}\nmailboxes = ('INBOX',)\n"
        f"[destination]\ntype = Maildir\npath = {home}/mail/\n"
        "[options]\nread_all = false\ndelivered_to = false\nreceived = false\n"
    )
    getmail(home)
    assert len(stored(server, account)) == len(clean)
    subjects = Counter(bodies(raw) for raw in fetched(home))
    assert subjects == Counter(bodies(s.raw) for s in clean)

    with Imap(server, account) as imap:
        imap.append("INBOX", message("new since then"))
    getmail(home, "--delete")
    assert fetched(home).total() == len(clean) + 1
    assert stored(server, account) == {}


def bodies(raw: bytes) -> bytes:
    """getmail parses headers and writes them anew; what follows them is to be the same, octet by octet."""
    return raw.partition(b"\r\n\r\n")[2].rstrip(b"\r\n")


def survives_python(raw: bytes) -> bool:
    """Python's email package, which getmail rebuilds messages with, gives this body back as it was."""
    rebuilt = email.message_from_bytes(raw, policy=email.policy.compat32).as_bytes()
    return bodies(re.sub(rb"\r?\n", b"\r\n", rebuilt)) == bodies(raw)
