"""No statement of the store reads a table from end to end, but for the few that are asked for everything.

The whole API is exercised with a trace on the connections; each statement that ran is then explained.
"""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mailserver.base.ids import AccountId, MailboxId, MessageId, Uid
from mailserver.base.limits import ImapLimits
from mailserver.store import flags as bits
from mailserver.store.applied import AppliedMessage
from mailserver.store.contacts import NewCard
from mailserver.store.dkim_keys import NewDkimKey
from mailserver.store.lookup import COLUMNS
from mailserver.store.moved import Place
from mailserver.store.queue_filter import QueueFilter
from mailserver.store.queue_values import AtOnce, NewQueued, NewRecipient, Result
from mailserver.store.reports import NewReport
from mailserver.store.scripts import Owner
from mailserver.store.spool import body_of
from mailserver.store.store import StoreOptions
from mailserver.store.tx import Read
from mailserver.store.values import AppPasswordSecrets, Grantee, NextHop, ScramRow
from store.post import REFUSED
from store.world import NOW, World, derived

#: lists of everything, for the command line and administrators, and once when a worker begins to lead: they may scan
LISTS = {
    "queue.unclaim",
    "queue.take_over",
    "queue.depth",
    "queue.list",
    "queue.reroute",
    "tombstones.crowded",
    "destinations.list",
    "hold_rules.list",
    "settings.all",
    "domains.list",
    "scram.lacking",
    "app_passwords.allow_cram_md5",
    "aliases.list",
    "domains.backups",
    "routes.smarthosts",
    "rate_overrides.all",
    "dkim_keys.all",
    "scripts.list",
    "scripts.check_room",
    "scripts.put",
    "lists.of",
    "lists.make",
    "lists.add",
    "events.watching",
    "events.first",
    "reports.sent",
    "reports.list",
    "routes.list",
    "trusted.list",
    "routes.hops",
    "groups.list",
    "accounts.shared",
    "acl.mailboxes",
    "verify.problems",
    "feeding.stands",
}


class Recorder:
    """The API of a transaction, remembering which methods were called and which statements each one ran."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.statements: dict[str, set[str]] = {}
        self.rooms: dict[str, type] = {}
        self._method = ""

    def trace(self, cursor: Any, sql: str, bindings: Any) -> bool:
        self.statements.setdefault(sql, set()).add(self._method)
        return True

    def call(self, tx: Read, method: str, *args: Any, **named: Any) -> Any:
        self.called.add(method)
        self._method = method
        room, name = method.split(".")
        value = getattr(getattr(tx, room), name)(*args, **named)
        return list(value) if inspect.isgenerator(value) or hasattr(value, "__next__") else value


def exercise(world: World, call: Callable[..., Any]) -> None:
    """Calls everything at least once, in the ways the faces call it."""
    alice, inbox = world.alice, world.inbox
    domain = call("domains.add", "b.test").id
    call("domains.by_name", "b.test")
    call("domains.get", domain)
    call("domains.list")
    call("domains.set", domain, quota=10)
    stands_for = call("domains.add", "c.test").id
    call("domains.set", stands_for, alias_of="b.test")
    call("domains.aliases_of", domain)
    call("domains.remove", stands_for)
    call("domains.above", "x.y.b.test")
    call("domains.backups")
    bob = call("accounts.add", domain, "bob", "h").id
    call("accounts.by_address", "bob", "b.test")
    call("accounts.get", bob)
    call("accounts.modseqs", [alice.id, bob])
    call("accounts.list")
    call("accounts.list", domain)
    call("accounts.set", bob, name="B", password_hash="x", quota=1, is_active=True)
    call("accounts.credentials", "bob", "b.test")
    call("accounts.logged_in", bob, NOW)
    alias = call("aliases.add", domain, "all", ["bob@b.test"]).id
    call("aliases.set", alias, ["bob@b.test", "alice@example.test"])
    call("aliases.get", "all", "b.test")
    call("aliases.targets", "all", "b.test")
    call("aliases.owned_by", bob)
    call("aliases.list")
    call("aliases.list", domain)
    call("accounts.rehash", bob, "x", "y")
    call("scram.put", bob, ScramRow(b"salt", 4096, b"stored", b"server"))
    call("scram.of", bob)
    call("scram.lacking")
    app = call(
        "app_passwords.add", bob, "phone", b"d", AppPasswordSecrets(b"stored", b"server", None)
    ).id
    call("app_passwords.list", bob)
    call("app_passwords.find", bob, b"d")
    call("app_passwords.secrets", bob)
    call("app_passwords.used", app, NOW)
    call("app_passwords.allow_cram_md5")
    call("app_passwords.remove", bob, "phone")
    call("forwards.set", bob, ["x@elsewhere.test"], keeps_copy=False)
    call("forwards.of", bob)
    call("forwards.leading_to", "x@elsewhere.test")
    call("grants.add", bob, "@other.test")
    call("grants.of", bob)
    call("grants.covers", bob, "x@other.test", "other.test")
    call("grants.remove", bob, "@other.test")
    call("rate_overrides.set_account", bob, "messages", "hour", 1)
    call("rate_overrides.set_domain", domain, "messages", "hour", 1, each=True)
    call("rate_overrides.all")
    signing = NewDkimKey("s1", "rsa", 2_048, b"public", b"sealed")
    key = call("dkim_keys.add", domain, signing, "active").id
    call("dkim_keys.get", key)
    call("dkim_keys.by_selector", domain, "s1")
    call("dkim_keys.of", domain)
    call("dkim_keys.all")
    call("dkim_keys.seen", key, NOW)
    call("dkim_keys.move", key, "retired")
    call("dkim_keys.remove", key)
    call("routes.add", "*", "smtp:hub.test:25")
    call("routes.list")
    call("routes.smarthosts")
    call("routes.remove", "*")
    call("routes.set_hop", NextHop("smtp:hub.test:25", "may"))
    call("routes.hop", "smtp:hub.test:25")
    call("routes.hops")
    call("routes.forget_hop", "smtp:hub.test:25")
    call("routes.secret", "srs")
    call("callouts.put", "x@backup.test", is_known=True, reply="250 OK")
    call("callouts.find", "x@backup.test")
    call("callouts.forget", is_known=True, before=NOW + 100, most=10)
    call("reports.mark", "dmarc", "example.org", NOW, "id", "to r@example.org")
    call("reports.was_sent", "dmarc", "example.org", NOW)
    call("reports.sent", 10)
    call("reports.upload", "https://example.org/", "x/y", b"z", "example.org", expires_at=NOW)
    call("reports.uploads", NOW + 10, 10)
    call("reports.put_off", 1, NOW + 10)
    call("reports.uploaded", 1)
    report = NewReport("dmarc", "example.org", "Org", "id", NOW, NOW + 1, 1, 2, b"facts")
    call("reports.keep", report, 10)
    call("reports.list", "example.org", "dmarc", since=NOW, limit=10, before=100)
    call("reports.list", limit=10)
    call("reports.get", 1)
    call("reports.forget", NOW + 100, 10)
    call("senders.keep", "TOKEN", "a@b.example")
    call("senders.find", "TOKEN")
    call("senders.forget", NOW + 100, 10)
    exercise_scripts(call, alice.id, domain)
    exercise_moving(call, alice.id, inbox)
    exercise_events(call, alice.id, inbox)
    call("settings.set", "a", "1")
    call("settings.get", "a")
    call("settings.all")
    call("settings.set", "a", None)

    box = call("mailboxes.create", alice.id, "a/b").id
    call("mailboxes.find", alice.id, "a")
    call("mailboxes.get", alice.id, "a")
    call("mailboxes.target", alice.id, "a")
    call("mailboxes.special", alice.id, "\\Sent")
    call("mailboxes.by_id", box)
    call("mailboxes.all", alice.id)
    call("mailboxes.count", alice.id)
    for place in (inbox, MailboxId(0)):
        call("annotations.set", alice.id, place, {"/private/a": b"x", "/private/b": None})
    call("annotations.set", alice.id, inbox, {"/private/a": None}, owner=alice.id)
    call("annotations.below", alice.id, inbox, "/private", None)
    call("annotations.everywhere", alice.id, ["/private/a", "/shared/a"])
    call("annotations.changed", alice.id, 1)
    other = call("mailboxes.create", alice.id, "annotated").id
    call("annotations.copy", alice.id, inbox, other)
    call("annotations.forget", [other])
    call("mailboxes.assign", other, "\\Sent")
    call("mailboxes.assign", other, None)
    call("mailboxes.subscribe", alice.id, "a")
    call("mailboxes.subscriptions", alice.id)
    call("mailboxes.unsubscribe", alice.id, "a")

    for n in range(6):
        prepared = world.store.prepare(body_of(b"%d" % n), 0 if n % 2 else 1000)
        blob = call("blobs.put", prepared)
        call(
            "messages.add",
            alice.id,
            inbox,
            blob,
            derived(*range(n, n + 1 + n % 3)),
            flags=bits.DELETED if n > 3 else 0,
            keywords=["a", "b"][: n % 3],
            internal_at=NOW,
        )
    call("blobs.put", world.store.prepare(body_of(b"1"), 0))
    call("blobs.size", blob)
    call("blobs.sha256", blob)
    call("blobs.read", blob)
    call("blobs.read", blob, 0, 5)
    call("blobs.is_file_of", body_of(b"1").sha256, "x")
    call("blobs.release", [blob])
    call("mailboxes.claim_recent", inbox)
    there = Place("imap://ann@mail.example.net:993", "INBOX", 7)
    call("moved.note", alice.id, there, [1, 2])
    call("moved.done", alice.id, there)
    call("moved.was_otherwise", alice.id, there)
    call("moved.holds", inbox, body_of(b"1").sha256)
    call("moved.is_at", inbox, 1, body_of(b"1").sha256)
    call("moved.adopt", inbox, 77)
    call("moved.skip_to", inbox, 1)
    call("messages.uids", inbox)
    call("messages.first_unseen", inbox)
    call("messages.reclaimable", inbox)
    call("messages.unseen", inbox)
    call("messages.keywords", inbox)
    call("messages.changes", inbox, 1)
    call("messages.changed_uids", inbox, 1)
    call("messages.expunged_uids", inbox, 1)
    call("tombstones.crowded", 10)
    call("tombstones.forget", inbox, 0, 10)
    call("messages.flags", inbox, [(1, 9)])
    call("messages.flags", inbox, [1, 2, 3])
    call("messages.rows", inbox, [(1, 9)], *COLUMNS)
    call("messages.rows", inbox, [1, 2], *COLUMNS)
    call("messages.change_flags", inbox, [Uid(n) for n in range(1, 7)], "replace", bits.DELETED)
    for how in (
        "add",
        "remove",
        "replace",
    ):  # "x" is one too many, unless unused ones are forgotten
        call("messages.change_flags", inbox, [Uid(1), Uid(2)], how, bits.SEEN, ["x"])
    call("messages.copy", inbox, [Uid(1), Uid(2), Uid(3)], box)
    call("messages.move", inbox, [Uid(1), Uid(2)], box)
    call("messages.expunge", inbox, [Uid(5)])
    call("messages.expunge", inbox)
    exercise_queue(world, call)
    call("mailboxes.rename", alice.id, "a", "c/d")
    call("mailboxes.rename", alice.id, "INBOX", "e")
    call("mailboxes.delete", alice.id, "c")
    call("mailboxes.create", alice.id, "c")
    call("mailboxes.delete", alice.id, "c/d/b")
    call("messages.drain", alice.id, box, 1)
    call("purge.mailbox", alice.id, call("mailboxes.get", alice.id, "e").id)
    call("purge.is_needed")
    call("purge.some", 10)
    call("aliases.remove", alias)
    call("accounts.remove", bob)
    call("purge.account", alice.id)
    call("purge.some", 1000)
    call("domains.remove", domain)
    call("verify.problems")
    call("upkeep.free_pages")
    call("upkeep.vacuum", 5)


def exercise_contacts(call: Callable[..., Any], account: AccountId) -> None:
    """Address books, the cards in them, and filters that ask."""
    call("contacts.make", account)
    book = call("contacts.make", account, "Family")
    card = NewCard("u1", "Bob", "individual", ["bob@x.test"], b"BEGIN:VCARD")
    call("contacts.put", book, card)
    call("contacts.put", book, card._replace(vcard=b"2"))
    call("contacts.books", account)
    call("contacts.find", account, "")
    call("contacts.get", account, "Family")
    (found,) = call("contacts.cards", book.id, "*b*")
    call("contacts.cards", book.id, "*", (found.name, found.id))
    assert call("contacts.with_address", book.id, "bob@x.test") == [found.id]
    assert call("contacts.with_uid", book.id, "u1") == found.id
    call("contacts.vcard", found.id)
    assert call("contacts.match", book.id, ["a@b.test", "bob@x.test"]) == "bob@x.test"
    call("contacts.members", book.id, 10)
    call("contacts.take", book, found.id)
    call("contacts.put", book, card)
    call("contacts.remove", account, "Family")
    call("contacts.has_removed")
    call("contacts.drain", 10)
    call("contacts.forget", account)


def exercise_scripts(call: Callable[..., Any], account: Any, domain: Any) -> None:
    for owner, role in (
        (Owner(account=account), "active"),
        (Owner(domain=domain), "after"),
        (Owner(), "before"),
    ):
        script = call("scripts.put", owner, "a", b"keep;").id
        call("scripts.put", owner, "a", b"discard;")
        call("scripts.check_room", owner, "b", 10)
        call("scripts.find", owner, "a")
        call("scripts.list", owner)
        call("scripts.name", script)
        call("scripts.content", script)
        call("scripts.content", script, 1)
        call("scripts.versions", script)
        call("scripts.activate", owner, "a", role)
        assert call("scripts.filters", account, domain)
        call("scripts.activate", owner, "a", "")
        if owner.account is None:
            call("events.watch", script, "before", ["COPY"], "*", "*")
            call("events.watching", owner)
            call("events.unwatch", script)
        call("scripts.rename", owner, "a", "b")
        call("scripts.remove", owner, "b")
        call("lists.add", owner, "block", ["a@b.example", "@c.example"], "why")
        found = call("lists.make", owner, "other")
        call("lists.of", owner)
        call("lists.match", [call("lists.find", owner, "block"), found], ["@c.example", "x"])
        call("lists.entries", found, "*x*", "a", 10)
        call("lists.take", owner, "block", "@c.example")
        call("lists.rename", owner, "other", "third")
        call("lists.remove", owner, "block")
    exercise_contacts(call, account)
    call("scripts.deactivate", Owner(account=account))
    call("scripts.put_settings", account, b"keep;")
    call("scripts.settings", account)
    number = call("applied.begin", account, MailboxId(1), "draft.sieve")
    call("applied.note", number, [AppliedMessage(Uid(1), MessageId(1), True, 0, (), ())])
    call("applied.get", number)
    call("applied.of", account)
    call("applied.messages", number, 0, 10)
    call("applied.undone", number, [Uid(1)])
    call("applied.forget", account, NOW + 10)
    call("sieve_memory.note", account, "k", NOW + 10)
    call("sieve_memory.knows", account, "k", NOW)
    call("sieve_memory.count", account, "k")
    call("sieve_memory.forget", NOW + 20, 10)


def exercise_events(call: Callable[..., Any], account: Any, mailbox: Any) -> None:
    watcher = call("scripts.put", Owner(), "watcher", b"keep;").id
    call("events.watch", watcher, "before", ["COPY"], "INBOX", "\\Junk")
    call("events.are_wanted", account, mailbox)
    call("events.script", account, mailbox)
    call("events.around", account, mailbox, "COPY", mailbox)
    call("events.watch", watcher, "before", ["COPY"], "*", "*")
    assert call("events.note", account, mailbox, "COPY", [1, 2, 4], actor=account, source=mailbox)
    call("events.done", call("events.first"), "4")
    call("events.done", call("events.first"), "")
    call("events.unwatch", watcher)
    call("scripts.remove", Owner(), "watcher")


def exercise_moving(call: Callable[..., Any], account: Any, mailbox: Any) -> None:
    place = Place("imap://a", "INBOX", 1)
    call("moved.note", account, place, [1, 2])
    call("moved.done", account, place)
    call("moved.was_otherwise", account, place)
    call("moved.adopt", mailbox, 7)
    call("moved.skip_to", mailbox, 1)
    call("moved.holds", mailbox, b"x" * 32)
    call("moved.is_at", mailbox, 1, b"x" * 32)


def exercise_sharing(world: World, tx: Any, call: Callable[..., Any]) -> None:
    """What is done in mailboxes of others, and by their owner while others read them."""
    owner = world.alice.id
    domain = call("domains.add", "guests.test").id
    guest = call("accounts.add", domain, "guest", "h").id
    shared = call("accounts.add", domain, "shared", "", is_shared=True).id
    call("accounts.shared")
    call("accounts.shared", domain)
    group = call("groups.add", domain, "team").id
    call("groups.by_address", "team", "guests.test")
    call("groups.get", group)
    call("groups.join", group, [guest])
    call("groups.list")
    call("groups.list", domain)
    box = call("mailboxes.create", owner, "shared").id
    for to in (Grantee(guest, None), Grantee(None, group), Grantee(None, None)):
        call("acl.set", owner, box, to, "lrswite", is_negative=False)
    call("acl.entries", box)
    call("acl.of", box, guest)
    call("acl.for_anyone", box)
    call("acl.mailboxes")
    call("acl.mailboxes", owner)
    call("acl.shared_with", guest)
    call("acl.rights_in", box, Grantee(guest, None), is_negative=False)
    call("acl.remove", owner, box, Grantee(None, None), is_negative=False)
    call("groups.leave", group, guest)
    call("mailboxes.create", owner, "shared/below")
    own, other = call("mailboxes.get", guest, "INBOX").id, call("mailboxes.get", shared, "INBOX").id
    for mailbox in (box, other):
        tx.enter(mailbox, guest, "lrswite")
    blob = call("blobs.put", world.store.prepare(body_of(b"shared"), 1000))
    for n in range(4):
        call(
            "messages.add", owner, box, blob, derived(n), flags=bits.SEEN * (n % 2), internal_at=NOW
        )
    found = call("mailboxes.by_id", box)
    call("messages.unseen_count", found)
    call("messages.reclaimable", box)
    call("messages.keep_previews", {})
    call("messages.keep_ancestry", {})
    call("messages.rows", box, [(1, 9)], *COLUMNS)
    call("messages.rows", box, [1, 2], *COLUMNS)
    call("messages.rows", box, [1, 2], "message")
    call("messages.flags", box, [1, 2])
    call("messages.unseen", box)
    call("messages.first_unseen", box)
    call("messages.changes", box, 1)
    uids = [Uid(1), Uid(2), Uid(3)]
    for how in ("add", "remove", "replace"):
        call("messages.change_flags", box, uids, how, bits.SEEN | bits.FLAGGED, [])
    call("messages.copy", box, uids, own)
    call("messages.copy", box, uids, other)
    call("messages.copy", box, uids, box)
    call("messages.move", box, [Uid(3)], other)
    call("messages.change_flags", box, uids, "add", bits.DELETED)
    call("messages.expunge", box, [Uid(2)])
    call("messages.expunge", box)
    tx.leave()
    call("messages.copy", box, [Uid(5)], call("mailboxes.get", owner, "Drafts").id)
    call("purge.mailbox", owner, box)
    call("groups.remove", group)
    for account in (guest, shared):
        call("accounts.remove", account)
    for _ in range(20):
        call("purge.some", 3)
    call("domains.remove", domain)


def exercise_queue(world: World, call: Callable[..., Any]) -> None:
    to = [NewRecipient(f"{n}@{d}", d, d) for n in range(3) for d in ("c.test", "d.test", "e.test")]
    for account in (None, world.alice.id):
        for raw, recipients in ((b"q1", to), (b"q2", to[:1])):
            blob = call("blobs.put", world.store.prepare(body_of(raw), 1000))
            new = NewQueued(
                "t", account, "a@a.test", blob, 0, b"", 2, "submitted", None, False, False, False, "", "", "", "",
                None, None, 2 * NOW,
            )  # fmt: skip
            call("queue.add", new, recipients)
    busy = [one.destination for one in call("queue.due", 2 * NOW, 10)[:1]]
    call("queue.due", 2 * NOW, 10, busy)
    call("queue.newcomers", 0, 2 * NOW, 10, busy)
    call("queue.next_due")
    claimed = call("queue.claim", [(one.destination, 10) for one in call("queue.due", 2 * NOW, 10)])
    call("queue.content", claimed[0].queued.id)
    call("queue.recalled", [r.id for one in claimed for r in one.recipients])
    call("queue.unclaim")
    call("queue.take_over", "runner")
    call("queue.claim", [(one.destination, 10) for one in call("queue.due", 2 * NOW, 1)])
    call("queue.back_off", claimed[0].destination, NOW, "")
    call("queue.reached", claimed[0].destination)
    (first, *others) = [recipient.id for one in claimed for recipient in one.recipients]
    call("queue.settle", [Result(first, "deferred", NOW, REFUSED)])
    call("queue.unwarned", 3 * NOW)
    call("queue.overdue", 3 * NOW)
    call("queue.still_waiting", [first])
    call("queue.warned", [first])
    call("queue.settle", [Result(one, "delivered", None, REFUSED) for one in others])
    call("queue.depth", NOW)
    call("queue.show", claimed[0].queued.id)
    call("queue.of_trace", "t")
    call("queue.list", QueueFilter())
    call("destinations.list")
    call("destinations.pause", "c.test")
    call("destinations.resume", "c.test")
    call("destinations.find", "c.test")
    call("destinations.get", claimed[0].destination)
    call("hold_rules.add", "account", "x")
    call("hold_rules.list")
    call("hold_rules.judge", new)
    blob = call("blobs.put", world.store.prepare(body_of(b"q2"), 1000))
    new_id = call("queue.add", new._replace(blob=blob), to)
    call(
        "queue.enter", new._replace(blob=blob), to, AtOnce("runner", frozenset({to[0].destination}))
    )
    call("hold_rules.remove", 1)
    call("suppressions.add", "a@c.test", "5.1.1", "", NOW)
    call("suppressions.find", "a@c.test", NOW)
    call("suppressions.list", "a*")
    call("suppressions.forget", NOW, 1)
    call("suppressions.add", "a@c.test", "5.1.1", "", None)
    call("suppressions.remove", "a@c.test")
    call("trusted.add", "sealer", "c.test", "")
    call("trusted.list")
    call("trusted.remove", "sealer", "c.test")
    call("queue.reroute", lambda sender, domain, address: "x.test")
    some = QueueFilter(recipients=[first])
    for act in ("hold", "release", "retry", "cancel"):
        call(f"queue.{act}", some)
    call("queue.cancel", QueueFilter(message=new_id))
    call("queue.forget", 2 * NOW, 10)


def exercise_index(world: World, call: Callable[..., Any]) -> None:
    """What the text index is fed from, and where its answers lead."""
    call("feeding.stands")
    newest = MessageId(world.alice.id << 32 | 5)
    call("feeding.version")
    call("feeding.after", newest - 1, newest, 10)
    call("feeding.count_after", newest - 1)
    call("feeding.gone", world.alice.id, 0, 9, 2)
    call("messages.places", world.inbox)
    call("messages.places_of", world.inbox, [newest])
    call("messages.places_above", world.inbox, newest - 1, 10)
    call("search.ask", world.alice.id, [])
    call("search.close")


@pytest.fixture
def recorded(tmp_path) -> tuple[Recorder, dict[str, list[str]]]:
    """What ran, and each statement's plan."""
    world = World(tmp_path, StoreOptions(limits=ImapLimits(keywords=2)))
    recorder = Recorder()
    plans: dict[str, list[str]] = {}

    def job(tx: Any) -> None:
        db = tx.settings._db
        rooms = [slot for slot in Read.__slots__ if not slot.startswith("_")]
        recorder.rooms = {room: type(getattr(tx, room)) for room in rooms}
        db.connection.set_exec_trace(recorder.trace)
        call = partial(recorder.call, tx)
        exercise_sharing(world, tx, call)
        exercise(world, call)
        exercise_index(world, call)
        db.connection.set_exec_trace(None)
        for sql in recorder.statements:
            if not sql.startswith("PRAGMA"):
                plans[sql] = [row[3] for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", _nothing(sql))]

    world.store.write_now(job)
    world.close()
    return recorder, plans


def _nothing(sql: str) -> list[None]:
    numbered = {int(n) for n in re.findall(r"\?(\d+)", sql)}
    return [None] * (max(numbered, default=0) + len(re.findall(r"\?(?!\d)", sql)))


def test_every_method_is_exercised(recorded) -> None:
    recorder, _ = recorded
    assert {method.split(".")[0] for method in recorder.called} == set(recorder.rooms)
    assert recorder.called == {
        f"{room}.{name}"
        for room, cls in recorder.rooms.items()
        for name, _ in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_")
    }


def test_nothing_scans(recorded) -> None:
    recorder, plans = recorded
    assert len(plans) > 100
    for sql, plan in plans.items():
        if not recorder.statements[sql] <= LISTS:
            assert not [line for line in plan if _is_scan(line)], sql


def test_nothing_hot_sorts(recorded) -> None:
    """ORDER BY comes out of an index, but where a handful is sorted."""
    recorder, plans = recorded
    sorting = {
        method
        for sql, plan in plans.items()
        if any("TEMP B-TREE" in line for line in plan) and "DISTINCT keywords" not in sql
        for method in recorder.statements[sql]
    }
    assert sorting <= LISTS | {
        "accounts.list",
        "aliases.owned_by",
        "domains.above",
        "dkim_keys.of",
        "mailboxes.assign",
        "mailboxes.special",
        "messages.add",
        "messages.move",
        "messages.copy",
        "mailboxes.rename",
        "queue.show",
        "queue.cancel",
        "groups.add",
        "groups.by_address",
        "groups.get",
        "groups.remove",
        "acl.entries",
        "acl.shared_with",
        "messages.reclaimable",
    }


def test_the_check_would_notice() -> None:
    assert _is_scan("SCAN placement")
    assert _is_scan("SCAN p USING COVERING INDEX placement_by_message")
    assert not _is_scan("SEARCH p USING PRIMARY KEY (mailbox_id=?)")
    assert not _is_scan("SCAN carray VIRTUAL TABLE INDEX 1:")


def _is_scan(line: str) -> bool:
    """A few SCANs read no table: an array of ours, the queue of a recursive query, an index of the few deleted.

    Hold rules are a few, too, and each new message is held against all of them.
    """
    return line.startswith("SCAN") and not re.match(
        r"SCAN (carray|CONSTANT ROW|\d+-ROW VALUES CLAUSE|leads$|hold_rule$|d$|mailbox USING INDEX mailbox_deleted"
        r"|account USING INDEX account_removed|address_book USING (COVERING )?INDEX address_book_removed)",
        line,
    )
