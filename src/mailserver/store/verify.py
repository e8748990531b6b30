"""Verification: whether what is stored fits together, by counting everything again."""

from pathlib import Path

from mailserver.store.database import Database

#: what is wrong -> the query that finds the ids of those it is wrong with
CLAIMS: dict[str, str] = {
    "mailbox whose counters are wrong": (
        "SELECT b.id FROM mailbox b WHERE b.name IS NOT NULL AND (b.messages, b.unseen, b.deleted, b.size) IS NOT"
        " (SELECT count(*), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(flags & 8 <> 0), 0), coalesce(sum(size), 0)"
        " FROM placement p WHERE p.mailbox_id = b.id)"
    ),
    "account whose usage is wrong": (
        "SELECT a.id FROM account a WHERE (a.messages, a.used) IS NOT"
        " (SELECT count(*), coalesce(sum(size), 0) FROM message m WHERE m.id >> 32 = a.id)"
    ),
    "mailbox whose uidnext was used": (
        "SELECT b.id FROM mailbox b WHERE b.uidnext <= max("
        " coalesce((SELECT max(uid) FROM placement p WHERE p.mailbox_id = b.id), 0),"
        " coalesce((SELECT max(uid) FROM expunged e WHERE e.mailbox_id = b.id), 0))"
    ),
    "mailbox behind its own changes": (
        "SELECT b.id FROM mailbox b WHERE b.name IS NOT NULL AND b.modseq < max("
        " coalesce((SELECT max(modseq) FROM placement p WHERE p.mailbox_id = b.id), 0),"
        " coalesce((SELECT max(modseq) FROM expunged e WHERE e.mailbox_id = b.id), 0))"
    ),
    "mailbox ahead of its account": (
        "SELECT b.id FROM mailbox b JOIN account a ON a.id = b.account_id"
        " WHERE max(b.modseq, b.modified_modseq) > a.modseq OR b.uidvalidity > a.last_uidvalidity"
    ),
    "mailbox with a message that was expunged": (
        "SELECT e.mailbox_id FROM expunged e JOIN placement p ON p.mailbox_id = e.mailbox_id AND p.uid = e.uid"
    ),
    "mailbox with a message that is not its own": (
        "SELECT p.mailbox_id FROM placement p JOIN message m ON m.id = p.message_id"
        " JOIN mailbox b ON b.id = p.mailbox_id WHERE p.size <> m.size OR b.account_id <> m.id >> 32"
    ),
    "annotation of no mailbox": (
        "SELECT a.mailbox_id FROM annotation a WHERE a.mailbox_id <> 0"
        " AND NOT EXISTS (SELECT 1 FROM mailbox b WHERE b.id = a.mailbox_id)"
    ),
    "message of another size than its blob": (
        "SELECT m.id FROM message m JOIN blob b ON b.id = m.blob_id WHERE b.size <> m.size"
    ),
    "message in no mailbox": (
        "SELECT id FROM message m WHERE NOT EXISTS (SELECT 1 FROM placement WHERE message_id = m.id)"
    ),
    "blob of no message": (
        "SELECT id FROM blob b WHERE NOT EXISTS (SELECT 1 FROM message WHERE blob_id = b.id)"
        " AND NOT EXISTS (SELECT 1 FROM queued WHERE blob_id = b.id)"
    ),
    "queued message whose recipients are counted wrong": (
        "SELECT q.id FROM queued q WHERE q.open <> (SELECT count(*) FROM queued_recipient r WHERE r.queued_id = q.id"
        " AND r.state IN ('pending', 'claimed', 'deferred', 'held'))"
    ),
    "queued message that leaves with another size": (
        "SELECT q.id FROM queued q JOIN blob b ON b.id = q.blob_id"
        " WHERE q.size <> length(q.prefix) + b.size - q.skip"
    ),
    "destination that is due too late": (
        "SELECT d.id FROM destination d WHERE coalesce(d.due_at, 9223372036854775807) > (SELECT"
        " max(min(r.due_at), coalesce(d.backoff_until, 0)) FROM queued_recipient r WHERE r.destination_id = d.id)"
    ),
    "destination that is due for nothing": (
        "SELECT d.id FROM destination d WHERE d.due_at IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM queued_recipient r WHERE r.destination_id = d.id AND r.due_at IS NOT NULL)"
    ),
    "account whose queued messages are counted wrong": (
        "SELECT c.account_id FROM queued_count c LEFT JOIN account a ON a.id = c.account_id"
        " WHERE (c.account_id = 0 OR a.domain_id IS NOT NULL) AND c.messages <> (SELECT count(*) FROM queued q"
        " WHERE q.closed_at IS NULL AND (c.account_id = 0 OR q.account_id = c.account_id))"
    ),
    "thread that is remembered but empty": (
        "SELECT thread_id FROM thread_key k"
        " WHERE NOT EXISTS (SELECT 1 FROM message WHERE thread_id = k.thread_id)"
    ),
    "mailbox whose readers' seen messages are counted wrong": (
        "SELECT r.mailbox_id FROM reader r JOIN mailbox b ON b.id = r.mailbox_id WHERE b.name IS NOT NULL"
        " AND r.seen <> (SELECT count(*) FROM seen s JOIN placement p ON p.mailbox_id = s.mailbox_id AND p.uid = s.uid"
        " WHERE s.mailbox_id = r.mailbox_id AND s.account_id = r.account_id AND s.is_seen = 1)"
    ),
    "mailbox with a message that was seen and is gone": (
        "SELECT DISTINCT s.mailbox_id FROM seen s JOIN mailbox b ON b.id = s.mailbox_id WHERE b.name IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM placement p WHERE p.mailbox_id = s.mailbox_id AND p.uid = s.uid)"
    ),
    "mailbox that its owner reads as a guest": (
        "SELECT r.mailbox_id FROM reader r JOIN mailbox b ON b.id = r.mailbox_id WHERE b.account_id = r.account_id"
    ),
    "mailbox that is shared with its owner or after it was deleted": (
        "SELECT DISTINCT c.mailbox_id FROM acl c JOIN mailbox b ON b.id = c.mailbox_id"
        " WHERE b.name IS NULL OR c.account_id = b.account_id"
    ),
    "group with a member who is gone": (
        "SELECT g.group_id FROM group_member g JOIN account a ON a.id = g.account_id WHERE a.domain_id IS NULL"
    ),
    "address book whose cards are counted wrong": (
        "SELECT b.id FROM address_book b WHERE b.name IS NOT NULL AND (b.cards, b.size) IS NOT"
        " (SELECT count(*), coalesce(sum(length(vcard)), 0) FROM card c WHERE c.book_id = b.id)"
    ),
    "address book behind its own changes": (
        "SELECT b.id FROM address_book b JOIN account a ON a.id = b.account_id"
        " WHERE b.name IS NOT NULL AND (b.modseq > a.modseq OR b.modseq < max(b.created_modseq,"
        " coalesce((SELECT max(modified_modseq) FROM card c WHERE c.book_id = b.id), 0),"
        " coalesce((SELECT max(modseq) FROM card_gone g WHERE g.book_id = b.id), 0)))"
    ),
    "card with an address in another book": (
        "SELECT c.id FROM card c JOIN card_address a ON a.card_id = c.id WHERE a.book_id <> c.book_id"
    ),
    "blob that was cut": "SELECT id FROM blob WHERE data IS NOT NULL AND length(data) <> size",
}


class Verify:
    """Reads everything, so it takes its time: for `verify`, for tests, for the morning after a crash."""

    __slots__ = ("_db", "_folder")

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder

    def problems(self) -> list[str]:
        """What does not fit together, a line each; empty if all is well.  Bodies are not read."""
        found = [
            f"database: {line}"
            for (line,) in self._db.rows("PRAGMA integrity_check")
            if line != "ok"
        ]
        found += [
            f"row {row} of {table} refers to nothing in {to}"
            for table, row, to, _ in self._db.rows("PRAGMA foreign_key_check")
        ]
        for claim, sql in CLAIMS.items():
            found += [f"{claim}: {number}" for (number,) in self._db.each(sql)]
        for blob, path, size in self._db.each(
            "SELECT id, path, size FROM blob WHERE path IS NOT NULL"
        ):
            file = self._folder / path
            if not file.is_file():
                found.append(f"blob without its file {path}: {blob}")
            elif file.stat().st_size != size:
                found.append(f"blob whose file {path} was cut: {blob}")
        return found
