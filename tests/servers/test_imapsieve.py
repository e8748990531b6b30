r"""Scripts that run for what clients do in mailboxes, over real sockets."""

import socket
import time
from collections.abc import Iterator

import pytest

from mailserver.base.limits import SieveLimits
from mailserver.jobs import mailbox_events
from mailserver.store.queue_filter import QueueFilter
from mailserver.store.scripts import Owner
from mailserver.store.tx import Read, Write
from outside.server import running
from servers.event_bench import BEFORE, Events
from servers.imap_bench import Bench, Wire

RAW = b"From: a@b.example\r\nSubject: news\r\n\r\nhello\r\n"


@pytest.fixture
def bench(tmp_path) -> Iterator[Events]:
    bench = Events(tmp_path / "data")
    bench.begin()
    yield bench
    bench.end()


def watched(bench: Events, text: str, mailbox: str = "Work") -> Wire:
    """alice, with a script for what happens in *mailbox*, which has the first message of INBOX."""
    bench.script(text)
    wire = bench.log_in()
    assert b" OK " in wire.command(f"CREATE {mailbox}")[-1]
    said = wire.command(f'SETMETADATA {mailbox} (/shared/imapsieve/script "events")')[-1]
    assert b" OK " in said
    bench.deliver(RAW)
    assert b" OK " in wire.command("SELECT INBOX")[-1]
    return wire


def append(wire: Wire, mailbox: str, flags: str = "") -> None:
    wire.send(b"x APPEND %b %b{%d+}\r\n%b\r\n" % (mailbox.encode(), flags.encode(), len(RAW), RAW))
    assert b" OK " in wire.until(b"x ")[-1]


@pytest.mark.rfc(6785, "2.2.1", "2.2.2", "3.3", "4.1", "4.2", "4.3", "4.4")
def test_append_copy_move(bench: Events) -> None:
    wire = watched(
        bench,
        'if environment :matches "imap.cause" "*" { set "c" "${1}"; }'
        'if environment :matches "imap.mailbox" "*" { set "m" "${1}"; }'
        'if environment :matches "imap.email" "*@*" { set "u" "${1}"; }'
        'if environment "location" "MS" { addflag "$post"; }'
        'if environment "imap.changedflags" "" { addflag "$new"; }'
        'if environment "vnd.mailserver.source" "INBOX" { addflag "$src"; }'
        'fileinto :copy :create "log/${c}-${m}-${u}";',
    )
    append(wire, "Work", "(\\Seen) ")
    bench.settled()
    ((_, flags, words, _),) = bench.rows("Work")
    assert (flags, words) == (1, "$new $post")
    ((_, flags, words, raw),) = bench.rows("log/APPEND-Work-alice")
    assert (flags, words, raw) == (1, "$new $post", RAW)
    assert b" OK " in wire.command("COPY 1 Work")[-1]
    bench.settled()
    assert len(bench.rows("log/COPY-Work-alice")) == 1
    assert b" OK " in wire.command("MOVE 1 Work")[-1]
    bench.settled()
    assert len(bench.rows("log/COPY-Work-alice")) == 2
    assert bench.rows("Work")[1][2] == "$new $post $src"


@pytest.mark.rfc(6785, "2.2.3", "3.8", "4.5")
def test_flags(bench: Events) -> None:
    wire = watched(
        bench,
        'if allof (environment "imap.cause" "FLAG", hasflag "\\\\Flagged",'
        ' environment :contains "imap.changedflags" "\\\\Flagged") { addflag "urgent"; }'
        'elsif environment "imap.changedflags" "work" { removeflag "urgent"; addflag "\\\\Answered"; }'
        'elsif environment "imap.changedflags" "\\\\Seen" { fileinto :copy :create "seen"; }',
        "INBOX2",
    )
    append(wire, "INBOX2")
    append(wire, "INBOX2")
    wire.command("SELECT INBOX2")
    wire.command("STORE 1 +FLAGS.SILENT (\\Flagged)")
    bench.settled()
    assert bench.rows("INBOX2")[0][1:3] == (4, "urgent")
    wire.command("STORE 1 +FLAGS.SILENT (\\Flagged)")  # changes nothing
    wire.command("STORE 1:2 +FLAGS.SILENT (work)")
    bench.settled()
    assert [row[1:3] for row in bench.rows("INBOX2")] == [(6, "work"), (2, "work")]
    wire.command("FETCH 1 BODY[TEXT]")
    bench.settled()
    assert len(bench.rows("seen")) == 1


@pytest.mark.rfc(6785, "2.2.4", "3.4", "3.5", "3.7")
def test_what_is_not_kept_is_marked(bench: Events) -> None:
    wire = watched(
        bench,
        'if hasflag "a" { discard; } elsif hasflag "b" { addheader "X-A" "b"; fileinto :create "B"; }'
        'elsif hasflag "c" { redirect "x@remote.example"; } elsif hasflag "d" { fileinto "nosuch"; }'
        'elsif hasflag "e" { addheader "X-A" "b"; keep; discard; }',
    )
    for keyword in "abcde":
        append(wire, "Work", f"({keyword}) ")
    bench.settled()
    assert [row[1] for row in bench.rows("Work")] == [8, 8, 8, 0, 0]
    assert {row[3] for row in bench.rows("Work")} == {RAW}
    ((_, flags, words, raw),) = bench.rows("B")
    assert (flags, words, raw) == (0, "b", b"X-A: b\r\n" + RAW)
    assert bench.store.read_now(lambda tx: queue_of(tx)) == [
        ("alice@example.test", "x@remote.example")
    ]


def queue_of(tx: Read) -> list[tuple[str, str]]:
    return [(one.sender, one.recipient.address) for one in tx.queue.list(QueueFilter())]


def test_what_waits_survives(tmp_path) -> None:
    """Nothing runs until somebody leads; then all that was committed has its script, once."""
    bench = Events(tmp_path / "data")
    script = (
        'if environment "imap.cause" "APPEND" { addflag "done"; fileinto :copy :create "log"; }'
    )
    wire = watched(bench, script)
    append(wire, "Work")
    append(wire, "Work")
    assert [row[2] for row in bench.rows("Work")] == ["", ""]
    bench.begin()
    bench.settled()
    assert [row[2] for row in bench.rows("Work")] == ["done", "done"]
    assert len(bench.rows("log")) == 2
    bench.end()


def test_how_it_came_does_not_leave(bench: Events) -> None:
    wire = watched(
        bench, 'if environment "imap.cause" "COPY" { redirect :copy "x@remote.example"; }'
    )
    came = b"Return-Path: <a@b.example>\r\nDelivered-To:\r\n alice@example.test\r\n"
    bench.deliver(came + RAW)
    wire.command("SELECT INBOX")
    wire.command("COPY 2 Work")
    bench.settled()

    def left(tx: Read) -> bytes:
        (one,) = tx.queue.list(QueueFilter())
        found = tx.queue.show(one.recipient.queued).queued
        return tx.blobs.read(found.blob, found.skip)

    assert bench.store.read_now(left) == RAW


@pytest.mark.rfc(6785, "2.1")
def test_the_capability(tmp_path) -> None:
    bench = Bench(tmp_path / "data")
    wire = bench.connect()
    assert b"IMAPSIEVE" not in wire.line()
    bench.call(lambda: setattr(bench.face._server, "managesieve", "sieve://mail.example.test"))
    assert b" IMAPSIEVE=sieve://mail.example.test " in wire.command("CAPABILITY")[0]
    bench.stop()


@pytest.mark.rfc(6785, "3.11", "4.6")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('require "vacation"; keep;', b"vacation cannot be used for what happens in mailboxes"),
        ('if envelope "from" "x" { discard; }', b"there is no envelope"),
        ('require "nosuch"; keep;', b'no extension "nosuch"'),
    ],
)
def test_mistakes(bench: Events, text: str, told: bytes) -> None:
    wire = watched(bench, "")
    script = f"{BEFORE}{text}" if text.startswith("if") else text
    owner = Owner(account=bench.accounts["alice"])
    bench.store.write_now(lambda tx: tx.scripts.put(owner, "events", script.encode()))
    append(wire, "Work")
    append(wire, "Work")
    bench.settled()
    assert [row[1] for row in bench.rows("Work")] == [0, 0]
    complaints = [row[3] for row in bench.rows("INBOX") if b"has a mistake" in row[3]]
    assert len(complaints) == 1
    assert told in complaints[0].replace(b"\r\n", b" ")


@pytest.mark.rfc(6785, "2.3.1")
def test_nothing_runs_where_nothing_is_set(bench: Events) -> None:
    wire = watched(bench, "discard;")
    append(wire, "INBOX")
    wire.command('SETMETADATA Work (/shared/imapsieve/script "nosuch")')
    append(wire, "Work")
    bench.settled()
    wire.command('SETMETADATA Work (/shared/imapsieve/script "")')
    append(wire, "Work")
    wire.command("SETMETADATA Work (/shared/imapsieve/script NIL)")
    append(wire, "Work")
    bench.settled()
    assert [row[1] for row in bench.rows("Work")] == [0, 0, 0]


@pytest.mark.rfc(6785, "6")
def test_no_loops(bench: Events) -> None:
    wire = watched(
        bench,
        'if hasflag "ping" { removeflag "ping"; addflag "pong"; }'
        'else { removeflag "pong"; addflag "ping"; } fileinto :copy "INBOX";',
    )
    wire.command('SETMETADATA INBOX (/shared/imapsieve/script "events")')
    append(wire, "Work")  # the script sets "ping", which runs it once more, and no further
    bench.settled()
    assert bench.rows("Work")[0][2] == "pong"
    assert len(bench.rows("INBOX")) == 3
    wire.command("SELECT Work")
    wire.command("STORE 1 +FLAGS (x)")
    bench.settled()
    assert bench.rows("Work")[0][2] == "ping x"


def test_administrators(bench: Events) -> None:
    """Moving mail into Junk, and out of it."""
    wire = bench.log_in()

    def job(tx: Write) -> None:
        domain = tx.domains.by_name("example.test").id
        for owner, name, text in (
            (Owner(), "spam", 'addflag "$learned-spam"; keep;'),
            (Owner(domain=domain), "ham", 'addflag "$learned-ham"; keep;'),
        ):
            script = tx.scripts.put(owner, name, (BEFORE + text).encode())
            place = ("\\Junk", "*") if name == "spam" else ("*", "\\junk")
            tx.events.watch(script.id, "before", ["COPY"], *place)

    bench.store.write_now(job)
    for _ in range(2):
        bench.deliver(RAW)
    wire.command("SELECT INBOX")
    wire.command("MOVE 1 Junk")
    wire.command("APPEND Junk {3+}\r\nabc")
    bench.settled()
    assert [row[2] for row in bench.rows("Junk")] == ["$learned-spam", ""]
    wire.command("SELECT Junk")
    wire.command("MOVE 1 INBOX")
    bench.settled()
    assert [row[2] for row in bench.rows("INBOX")] == ["", "$learned-ham $learned-spam"]


def test_flags_go_from_script_to_script(bench: Events) -> None:
    wire = watched(bench, 'if hasflag "one" { removeflag "mine"; addflag "two"; }')

    def job(tx: Write) -> None:
        for name, place, text in (
            ("first", "before", 'addflag "one";'),
            ("last", "after", 'if hasflag "two" { addflag "three"; }'),
        ):
            script = tx.scripts.put(Owner(), name, (BEFORE + text).encode())
            tx.events.watch(script.id, place, ["APPEND"], "Work", "*")

    bench.store.write_now(job)
    append(wire, "Work", "(mine) ")
    bench.settled()
    assert bench.rows("Work")[0][2] == "one three two"


def test_many_messages_run_in_slices(bench: Events) -> None:
    wire = watched(bench, 'addflag "done"; keep;')
    for _ in range(54):
        bench.deliver(RAW)
    wire.command("SELECT INBOX")
    wire.command("COPY 1:* Work")
    bench.settled()
    assert [row[2] for row in bench.rows("Work")] == ["done"] * 55


@pytest.mark.rfc(6785, "3.3")
def test_filing_with_others(bench: Events) -> None:
    """By names and rights as at delivery; what is filed is theirs, and has no flags of this user's."""
    bob = "Other Users/bob@example.test"
    wire = watched(
        bench,
        f'if mailboxexists "{bob}/Team" {{ fileinto :flags "mine" "{bob}/Team"; }}'
        f' if not mailboxexists "{bob}/Junk" {{ fileinto "{bob}/Junk"; }}',
    )
    guest = bench.log_in("bob")
    guest.command("CREATE Team")
    guest.command("SETACL Team alice@example.test lri")
    append(wire, "Work", "(\\Seen) ")
    bench.settled()
    assert bench.rows("Team", "bob") == [(1, 0, "", RAW)]
    assert bench.rows("Junk", "bob") == []
    ((_, flags, words, _),) = bench.rows("Work")
    assert (flags, words) == (1, "")  # one of the copies could not be made, so it stays


@pytest.mark.rfc(6785, "6")
def test_who_may_name_the_script(bench: Events) -> None:
    """A guest who may write annotations may not have the owner's scripts run."""
    wire = watched(bench, 'addflag "done"; keep;')
    wire.command("SETACL Work bob@example.test lrswit")
    guest = bench.log_in("bob")
    name = '"Other Users/alice@example.test/Work"'
    assert b" OK " in guest.command(f'SETMETADATA {name} (/shared/comment "hi")')[-1]
    said = guest.command(f'SETMETADATA {name} (/shared/imapsieve/script "events")')[-1]
    assert b" NO " in said
    append(guest, name)  # but what he does there counts
    bench.settled()
    assert [row[2] for row in bench.rows("Work")] == ["done"]


def test_too_many_wait(tmp_path) -> None:
    bench = Events(tmp_path / "data")
    alice = bench.accounts["alice"]
    most = SieveLimits().events

    def job(tx: Write) -> list[bool]:
        tx.scripts.put(Owner(account=alice), "events", b"keep;")
        inbox = tx.mailboxes.get(alice, "INBOX").id
        tx.annotations.set(alice, inbox, {"/shared/imapsieve/script": b"events"})
        return [
            tx.events.note(alice, inbox, "APPEND", [n], actor=alice) for n in range(1, most + 3)
        ]

    assert bench.store.write_now(job) == [True] * most + [False] * 2
    bench.stop()


def test_one_that_cannot_run_does_not_hold_up_others(bench: Events, monkeypatch) -> None:
    wire = watched(bench, 'addflag "done"; keep;')
    real, tried = mailbox_events.plan_event, []

    def plan(scripts, message, *rest):
        tried.append(1)
        if len(tried) == 1:
            raise ZeroDivisionError
        return real(scripts, message, *rest)

    monkeypatch.setattr(mailbox_events, "plan_event", plan)
    append(wire, "Work")
    bench.settled()
    append(wire, "Work")
    bench.settled()
    assert [row[2] for row in bench.rows("Work")] == ["", "done"]


def test_across_processes(tmp_path) -> None:
    """Whichever process a client is served by, its events wake the one that runs scripts."""
    file = tmp_path / "events.sieve"
    file.write_text('require ["imapsieve", "imap4flags"]; addflag "done"; keep;')
    with running(workers="2", count=1) as server:
        (account,) = server.accounts
        server.cli("sieve", "put", account.address, str(file))
        for _ in range(4):  # the kernel spreads the connections
            wire = Wire(socket.create_connection(("127.0.0.1", server.ports["imap"]), 10))
            assert b"IMAPSIEVE" not in wire.line()  # it has no ManageSieve
            assert b" OK " in wire.command(f'LOGIN {account.address} "{account.password}"')[-1]
            wire.command('SETMETADATA INBOX (/shared/imapsieve/script "events")')
            wire.command("SELECT INBOX")
            assert b" OK " in wire.command("APPEND INBOX {3+}\r\nabc")[-1]
            end = time.monotonic() + 10
            while not any(b"done" in line for line in wire.command("FETCH * FLAGS")):
                assert time.monotonic() < end
                time.sleep(0.05)
