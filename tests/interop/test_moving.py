"""Whole mailboxes from Dovecot and to it: over IMAP, and as the files that it keeps."""

import imaplib
import json
import os
import pwd
import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailserver.moving.imap_client import Login
from mailserver.moving.imap_source import Choice, ImapSource
from mailserver.store.flags import ANSWERED, FLAGGED, SEEN
from moving.household import Household
from outside.corpus import Sample
from outside.debian import OWNER, Debian
from outside.server import Account, Ours, Server

FLAGS = r"(\Seen \Flagged $Work)"
DATE = '"15-Mar-2020 12:00:00 +0100"'


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    household = Household(tmp_path / "data")
    yield household
    household.close()


def connected(dovecot: Debian, account: Account) -> imaplib.IMAP4_SSL:
    context = ssl.create_default_context(cafile=dovecot.home / "cert.pem")
    client = imaplib.IMAP4_SSL("localhost", dovecot.ports["imaps"], ssl_context=context)
    client.login(account.address, account.password)
    return client


def fill(client: imaplib.IMAP4, mailbox: str, messages: list[bytes]) -> None:
    client.create(mailbox)
    for raw in messages:
        assert client.append(mailbox, FLAGS, DATE, raw)[0] == "OK"


def fetched(
    dovecot: Debian, account: Account, household: Household, tls: str = "implicit"
) -> tuple[int, list[str]]:
    login = Login(
        "localhost",
        dovecot.ports["imap" if tls == "starttls" else "imaps"],
        account.address,
        account.password,
        "starttls" if tls == "starttls" else "implicit",
        dovecot.home / "cert.pem",
    )
    source = ImapSource(login, Choice(), household.said.append)
    try:
        result = household.take(source)
    finally:
        source.close()
    return result.taken, [*result.failed, *source.trouble]


@pytest.mark.needs("dovecot")
def test_from_dovecot(
    dovecot: Debian,
    household: Household,
    samples: list[Sample],
    full: Callable[[int, int], int],
) -> None:
    """Octets, flags, keywords, dates, UIDs, names; a second time only what is new."""
    account = dovecot.account()
    raws = [s.raw for s in samples if b"\0" not in s.raw][: full(150, 5_000)]
    client = connected(dovecot, account)
    fill(client, '"Entw&APw-rfe/alt"', raws)
    fill(client, "Sent", raws[:3])
    client.select('"Entw&APw-rfe/alt"')
    client.store("2:4", "+FLAGS", r"(\Deleted)")
    client.expunge()
    for tls in ("implicit", "starttls"):
        taken, failed = fetched(dovecot, account, household, tls)
        assert (taken, failed) == (len(raws) if tls == "implicit" else 0, [])
    found = household.has("Entwürfe/alt")
    _, (listed,) = client.uid("SEARCH", "ALL")
    assert [m.uid for m in found] == [int(uid) for uid in listed.split()]
    _, told = client.fetch("1:*", "(BODY.PEEK[])")
    assert [m.raw for m in found] == [part[1] for part in told if isinstance(part, tuple)]
    assert {(m.flags, m.keywords) for m in found} == {(SEEN | FLAGGED, "$Work")}
    assert {m.internal_at for m in found} == {1_584_270_000}
    assert len(household.has("Sent")) == 3
    fill(client, "Sent", raws[3:5])
    assert fetched(dovecot, account, household) == (2, [])
    client.logout()


@pytest.mark.needs("dovecot")
def test_dovecot_takes_what_we_write(
    dovecot: Debian, household: Household, samples: list[Sample], tmp_path: Path
) -> None:
    """An export, put where Dovecot keeps mail: UIDVALIDITY, UIDs, flags, keywords, dates and octets are ours."""
    raws = [s.raw for s in samples if b"\0" not in s.raw and b"\n" in s.raw][:100]
    household.store.write_now(lambda tx: tx.mailboxes.create(household.alice.id, "Work/Entwürfe"))
    for n, raw in enumerate(raws):
        household.put(
            raw,
            "Work/Entwürfe",
            flags=SEEN | (ANSWERED if n % 2 else 0),
            keywords=("$Forwarded", f"k{n % 5}"),
            internal_at=1_600_000_000 + n,
        )
    household.put(b"Subject: inbox\r\n\r\nx\r\n")
    household.leave(tmp_path / "out", "maildir")
    account = dovecot.account()
    place = dovecot.home / "mail" / account.address / "Maildir"
    shutil.copytree(tmp_path / "out", place, copy_function=shutil.copy2)
    user = pwd.getpwnam(OWNER)
    for path, _, files in os.walk(place.parent):
        os.chown(path, user.pw_uid, user.pw_gid)
        for name in files:
            os.chown(Path(path) / name, user.pw_uid, user.pw_gid)
    client = connected(dovecot, account)
    name = '"Work/Entw&APw-rfe"'
    assert client.select(name, readonly=True) == ("OK", [b"%d" % len(raws)])
    ours = household.box("Work/Entwürfe", household.alice)
    assert client.response("UIDVALIDITY")[1] == [b"%d" % ours.uidvalidity]
    assert client.response("UIDNEXT")[1] == [b"%d" % ours.uidnext]
    _, told = client.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
    bodies = [part for part in told if isinstance(part, tuple)]
    for n, (raw, (head, body)) in enumerate(zip(raws, bodies, strict=True)):
        plain = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert body.replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n") or body == plain
        assert b"UID %d " % (n + 1) in head
        assert b"k%d" % (n % 5) in head
        assert b"$Forwarded" in head
        assert (b"\\Answered" in head) == bool(n % 2)
    client.logout()


@pytest.mark.needs("dovecot")
def test_the_files_that_dovecot_keeps(
    dovecot: Debian, household: Household, samples: list[Sample]
) -> None:
    """Its Maildir, read while it is running."""
    account = dovecot.account()
    raws = [s.raw for s in samples if b"\0" not in s.raw][:100]
    client = connected(dovecot, account)
    fill(client, '"Work/Old"', raws)
    client.select('"Work/Old"', readonly=True)
    validity = int(client.response("UIDVALIDITY")[1][0] or 0)
    _, told = client.fetch("1:*", "(BODY.PEEK[])")
    client.logout()
    result = household.take(dovecot.home / "mail" / account.address / "Maildir", "maildir")
    assert result.failed == []
    found = household.has("Work/Old")
    assert [m.raw for m in found] == [part[1] for part in told if isinstance(part, tuple)]
    assert [m.uid for m in found] == list(range(1, len(raws) + 1))
    assert {(m.flags, m.keywords) for m in found} == {(SEEN | FLAGGED, "$Work")}
    assert {m.internal_at for m in found} == {1_584_270_000}
    assert household.box("Work/Old").uidvalidity == validity


@pytest.mark.needs("dovecot")
def test_beside_the_running_server(
    server: Server, account: Account, other: Account, dovecot: Debian, tmp_path: Path
) -> None:
    """The command line brings mail in, and an idling client hears of it at once; then it takes it out."""
    if not isinstance(server, Ours):
        pytest.skip("only ours has these commands")
    there = dovecot.account()
    client = connected(dovecot, there)
    fill(client, "INBOX", [b"Subject: %d\r\n\r\nx\r\n" % n for n in range(20)])
    client.logout()
    password = tmp_path / "password"
    password.write_text(there.password)
    idler = imaplib.IMAP4(server.host, server.ports["imap"])
    idler.login(account.address, account.password)
    assert idler.append("INBOX", None, None, b"Subject: here\r\n\r\n")[0] == "OK"
    idler.select("INBOX")
    idler.send(b"i IDLE\r\n")
    assert idler.readline().startswith(b"+ ")
    said = server.cli(
        *f"mail fetch {account.address} localhost --user {there.address} --password-file {password}"
        f" --port {dovecot.ports['imaps']} --ca {dovecot.home / 'cert.pem'} --json".split()
    )
    assert json.loads(said.stdout) == {"mailboxes": 4, "taken": 20, "known": 0, "left_out": []}
    assert idler.readline() == b"* 21 EXISTS\r\n"
    idler.shutdown()
    server.cli("mail", "export", account.address, str(tmp_path / "out"))
    server.cli("mail", "import", other.address, str(tmp_path / "out"))
    with imaplib.IMAP4(server.host, server.ports["imap"]) as copy:
        copy.login(other.address, other.password)
        assert copy.select("INBOX") == ("OK", [b"21"])
