"""What must hold after each kill: of the files while nothing runs, of the answers after the restart."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import Counter, defaultdict

from crash.clients import identities
from crash.ledger import Ledger, message
from outside.mail import without_trace
from outside.server import Ours
from outside.wire import Imap


def check_files(server: Ours) -> None:
    """The database is whole, every reference leads somewhere, every body that is a file is there unchanged."""
    path = server.data / "mailserver.db"
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        orphans = db.execute(
            "SELECT count(*) FROM blob WHERE id NOT IN (SELECT blob_id FROM message)"
        ).fetchone()[0]
        assert orphans == 0, f"{orphans} bodies that no message has"
        for digest, size, where in db.execute(
            "SELECT sha256, size, path FROM blob WHERE path IS NOT NULL"
        ):
            body = (server.data / "blobs" / where).read_bytes()
            assert len(body) == size
            assert hashlib.sha256(body).digest() == digest
        for digest, data in db.execute("SELECT sha256, data FROM blob WHERE path IS NULL"):
            assert hashlib.sha256(data).digest() == digest
        counted = db.execute(
            "SELECT m.id, m.messages, m.uidnext, count(p.uid), coalesce(max(p.uid), 0), m.size,"
            " coalesce(sum(p.size), 0) FROM mailbox m LEFT JOIN placement p ON p.mailbox_id = m.id GROUP BY m.id"
        ).fetchall()
    db.close()
    for mailbox, messages, uidnext, rows, highest, size, octets in counted:
        assert messages == rows, f"mailbox {mailbox} counts {messages}, holds {rows}"
        assert size == octets, f"mailbox {mailbox} counts {size} octets, holds {octets}"
        assert highest < uidnext, f"mailbox {mailbox} would give UID {uidnext} again"


def check_answers(server: Ours, ledger: Ledger) -> None:
    """Everything promised is there exactly once, with its octets, at its UID; nothing half done is seen."""
    holds: dict[tuple[str, str], dict[int, str]] = {}
    for account in server.accounts[:3]:
        with Imap(server, account, timeout_s=120) as imap:
            for line in imap.ok('LIST "" *').untagged:
                mailbox = re.sub(rb'^.*"/" ', b"", line).strip(b'"').decode()
                box = (account.address, mailbox)
                reply = imap.ok(f"EXAMINE {mailbox}")
                validity = int(reply.code("UIDVALIDITY") or 0)
                assert ledger.validity.setdefault(box, validity) == validity, (
                    f"{box}: UIDVALIDITY changed"
                )
                holds[box] = identities(imap) if reply.number("EXISTS") else {}
                check_uids(ledger, box, holds[box], int(reply.code("UIDNEXT") or 0))
                check_octets(imap, ledger, box, holds[box])
                if mailbox == "INBOX":
                    flagged = set(imap.search("FLAGGED", uid=True))
                    assert {u for a, u in ledger.flagged if a == account.address} <= flagged, (
                        f"{box}: flags lost"
                    )
    where = {
        box: Counter(name.split()[0] for name in names.values()) for box, names in holds.items()
    }
    check_deliveries(ledger, where)
    check_appended(ledger, holds, where)
    check_copied_and_moved(ledger, holds, where)


def check_uids(ledger: Ledger, box: tuple[str, str], names: dict[int, str], uidnext: int) -> None:
    """A UID keeps its message for ever (RFC 9051 §2.3.1.1)."""
    for uid, name in names.items():
        assert uid < uidnext
        before = ledger.seen.setdefault((*box, uid), name)
        assert before == name, f"{box}: UID {uid} was {before}, is {name}"


def check_octets(imap: Imap, ledger: Ledger, box: tuple[str, str], names: dict[int, str]) -> None:
    """Each message is what its X-Id says, octet by octet; every one is looked at once in a test."""
    fresh = [uid for uid in names if (*box, uid) not in ledger.verified]
    for start in range(0, len(fresh), 200):
        for uid, values in imap.fetch(
            ",".join(map(str, fresh[start : start + 200])), "(BODY.PEEK[])"
        ).items():
            identity, size = names[uid].split()
            raw = values[b"BODY[]"]
            assert isinstance(raw, bytes)
            assert without_trace(raw) == message(identity, int(size)), (
                f"{box}: UID {uid} {identity} was changed"
            )
            ledger.verified.add((*box, uid))


def check_deliveries(ledger: Ledger, where: dict[tuple[str, str], Counter[str]]) -> None:
    for identity, recipients in ledger.accepted.items():
        for address in recipients:
            times = where[address, "INBOX"][identity]
            assert times == 1, f"{identity} was accepted for {address} and is there {times} times"
    for identity, recipients in ledger.tried.items():
        times = {where[address, "INBOX"][identity] for address in recipients}
        assert times in ({0}, {1}), (
            f"{identity} was not answered; it is there {times} times, for some recipients"
        )


def check_appended(
    ledger: Ledger,
    holds: dict[tuple[str, str], dict[int, str]],
    where: dict[tuple[str, str], Counter[str]],
) -> None:
    for identity, (address, validity, uid) in ledger.appended.items():
        assert ledger.validity[address, "INBOX"] == validity
        assert holds[address, "INBOX"].get(uid, "").split()[:1] == [identity], (
            f"{identity} is not at UID {uid}"
        )
        assert where[address, "INBOX"][identity] == 1
    for identity in ledger.appending:
        assert sum(box[identity] for (_, name), box in where.items() if name == "INBOX") <= 1


def check_copied_and_moved(
    ledger: Ledger,
    holds: dict[tuple[str, str], dict[int, str]],
    where: dict[tuple[str, str], Counter[str]],
) -> None:
    for (address, uid), name in ledger.copied.items():
        assert holds[address, "Copies"].get(uid) == name, f"the copy {uid} of {name} is missing"
    lying: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (address, mailbox), names in where.items():
        if mailbox in ("Source", "Target"):
            lying[address] += names
    for address, moving in ledger.moving.items():
        for identity in moving:
            assert lying[address][identity] == 1, (
                f"{identity} was moved and is there {lying[address][identity]} times"
            )
