"""Mail that leaves, over real sockets: what is accepted from whom, and what then waits in the queue."""

import re

import pytest

from mailserver.directory import aliases
from mailserver.directory.addresses import parse
from mailserver.mta import srs
from mailserver.smtp.address import parse_mailbox
from mailserver.store.queue_values import Claimed
from mailserver.store.tx import Read, Write
from servers.site import RAW, Site, greeted, send, submit

MINE = b"From: alice@example.test\r\nSubject: hello\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\nhi\r\n"
ALICE = "<alice@example.test>"


def queued(site: Site) -> list[tuple[str, Claimed, bytes]]:
    """All that waits: destination, message and recipients, what would leave."""

    def job(tx: Write) -> list[tuple[str, Claimed, bytes]]:
        due = tx.queue.due(tx.now + 10_000_000, 1_000)
        found = []
        for destination in due:
            for claimed in tx.queue.claim([(destination.destination, 1_000)]):
                new = claimed.queued
                assert new.blob is not None
                data = new.prefix + tx.blobs.read(new.blob)[new.skip :]
                assert len(data) == new.size
                found.append((destination.name, claimed, data))
        tx.queue.unclaim()
        return found

    return site.store.write_now(job)


def blobs(tx: Read) -> int:
    ((count,),) = tx.blobs._db.rows("SELECT count(*) FROM blob")
    return int(count)


@pytest.mark.rfc(5321, "4.4", "6.3")
@pytest.mark.rfc(6409, "1")
def test_a_user_sends_to_others(site: Site) -> None:
    with submit(site) as wire:
        assert send(wire, "x@elsewhere.test", raw=MINE, sender=ALICE).startswith("250 2.0.0")
    ((destination, claimed, data),) = queued(site)
    assert destination == "elsewhere.test"
    assert [r.address for r in claimed.recipients] == ["x@elsewhere.test"]
    new = claimed.queued
    assert (new.sender, new.origin, new.notices_to) == ("alice@example.test", "submitted", None)
    assert (new.message_id, new.subject) == ("<1@x>", "hello")
    assert (new.is_8bit, new.is_utf8, new.needs_tls) == (False, False, False)
    assert re.match(rb"Received: from client\.example ", data), "no Return-Path leaves"
    assert data.endswith(MINE)
    assert new.expires_at - new.created_at in (432_000, 431_999)


def test_copies_here_and_elsewhere_come_with_one_commit_and_one_body(site: Site) -> None:
    with submit(site) as wire:
        to = ("bob@example.test", "x@elsewhere.test", "X@elsewhere.test", "y@other.example")
        assert send(wire, *to, raw=MINE, sender=ALICE).startswith("250 2.0.0")
    (stored,) = site.messages("bob@example.test")
    assert stored.startswith(b"Return-Path: <alice@example.test>\r\nReceived: ")
    found = queued(site)
    assert sorted(name for name, _, _ in found) == ["elsewhere.test", "other.example"]
    assert {claimed.queued.id for _, claimed, _ in found} == {found[0][1].queued.id}
    assert site.store.read_now(blobs) == 1


def test_a_full_mailbox_among_them_keeps_everything_back(site: Site) -> None:
    raw = MINE + b"x" * 2_000 + b"\r\n"
    with submit(site) as wire:
        reply = send(wire, "small@example.test", "x@elsewhere.test", raw=raw, sender=ALICE)
        assert reply.startswith("452 4.2.2 <small@example.test>: mailbox full")
        assert queued(site) == []
        assert send(wire, "x@elsewhere.test", raw=raw, sender=ALICE).startswith("250")
    assert len(queued(site)) == 1


@pytest.mark.rfc(5321, "4.5.5")
def test_a_user_sends_a_receipt_with_a_null_sender(site: Site) -> None:
    with submit(site) as wire:
        assert send(wire, "x@elsewhere.test", raw=MINE, sender="<>").startswith("250")
    ((_, claimed, _),) = queued(site)
    assert claimed.queued.sender == ""


@pytest.mark.rfc(6152, "3")
@pytest.mark.rfc(8689, "4.1")
@pytest.mark.rfc(3461, "4.1", "4.2", "4.3", "4.4")
def test_what_the_client_said_goes_along(site: Site) -> None:
    with submit(site) as wire:
        for command in (
            f"MAIL FROM:{ALICE} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1",
            "RCPT TO:<jürgen@elsewhere.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2B@x.example",
            "DATA",
        ):
            reply = wire.ask(command.encode() + b"\r\n")
            assert reply[0] in "23", reply
        assert wire.ask(MINE + b".\r\n").startswith("250")
    ((_, claimed, _),) = queued(site)
    new, (to,) = claimed.queued, claimed.recipients
    assert (new.is_8bit, new.is_utf8, new.ret, new.envid) == (True, True, "HDRS", "QQ+1")
    assert (to.address, to.notify) == ("jürgen@elsewhere.test", "SUCCESS,DELAY")
    assert to.original == "rfc822;Bob+@x.example"


def test_octets_beyond_ascii_are_found_whether_declared_or_not(site: Site) -> None:
    large = MINE + b"x" * 70_000 + b"\r\n" + "hü\r\n".encode()
    with submit(site) as wire:
        assert send(wire, "x@elsewhere.test", raw=large, sender=ALICE).startswith("250")
    ((_, claimed, _),) = queued(site)
    assert claimed.queued.is_8bit


def test_strangers_still_cannot_relay(site: Site) -> None:
    with greeted(site) as wire:
        for sender in ("<>", ALICE, "<a@elsewhere.test>", "<x@elsewhere.test>"):
            reply = send(wire, "x@elsewhere.test", sender=sender)
            assert reply.startswith("550 5.7.1 <x@elsewhere.test>: relaying refused")
            wire.ask(b"RSET\r\n")
    assert queued(site) == []


@pytest.mark.rfc(4865, "4.2")
@pytest.mark.rfc(9228, "4")
def test_an_alias_passes_mail_on_in_our_name(site: Site) -> None:
    with greeted(site) as wire:
        assert send(wire, "Away@example.test").startswith("250 2.0.0")
    ((destination, claimed, data),) = queued(site)
    assert destination == "elsewhere.test"
    new = claimed.queued
    assert (new.origin, new.notices_to) == ("forwarded", "postmaster@example.test")
    assert data.startswith(b"Delivered-To: away@example.test\r\nReceived: from client.example")
    assert data.endswith(RAW)
    sender = parse_mailbox(new.sender)
    assert sender.domain == "example.test"
    key = site.store.read_now(lambda tx: tx.routes.secret("srs"))
    now = int(site.context.now())
    assert srs.restore(sender.localpart, key, now) == parse_mailbox("a@elsewhere.test")


def test_a_users_own_address_stays_when_an_alias_passes_his_mail_on(site: Site) -> None:
    with submit(site) as wire:
        assert send(wire, "away@example.test", raw=MINE, sender=ALICE).startswith("250")
    ((_, claimed, _),) = queued(site)
    assert claimed.queued.sender == "alice@example.test"
    assert claimed.queued.notices_to == "postmaster@example.test"


def test_null_senders_stay_null(site: Site) -> None:
    with greeted(site) as wire:
        assert send(wire, "away@example.test", sender="<>").startswith("250")
    ((_, claimed, _),) = queued(site)
    assert claimed.queued.sender == ""


def test_an_alias_of_both_kinds(site: Site) -> None:
    def mixed(tx: Write) -> None:
        to = [parse("bob@example.test"), parse("x@elsewhere.test"), parse("away@example.test")]
        aliases.create(tx, parse("mixed@example.test"), to)

    site.store.write_now(mixed)
    with greeted(site) as wire:
        assert send(wire, "mixed@example.test").startswith("250")
    assert len(site.messages("bob@example.test")) == 1
    found = {
        r.address: claimed.queued.prefix
        for _, claimed, _ in queued(site)
        for r in claimed.recipients
    }
    assert found == {
        "x@elsewhere.test": b"Delivered-To: mixed@example.test\r\n",
        "friend@elsewhere.test": b"Delivered-To: away@example.test\r\n",
    }


@pytest.mark.rfc(9228, "4")
@pytest.mark.parametrize(
    "field", [b"Delivered-To: away@example.test", b"delivered-to:\r\n <Away@EXAMPLE.test> "]
)
def test_what_was_passed_on_and_came_back_is_refused(site: Site, field: bytes) -> None:
    with greeted(site) as wire:
        reply = send(wire, "away@example.test", raw=field + b"\r\n" + RAW)
        assert reply.startswith("554 5.4.6 Mail loop: away@example.test has passed this")
        other = b"Delivered-To: other@example.test\r\n" + RAW
        assert send(wire, "away@example.test", raw=other).startswith("250")
        assert send(wire, "alice@example.test", raw=field + b"\r\n" + RAW).startswith("250")
    assert len(queued(site)) == 1


def test_a_thousand_recipients_elsewhere(site: Site) -> None:
    with submit(site) as wire:
        wire.say(f"MAIL FROM:{ALICE}\r\n".encode())
        for n in range(1_001):
            wire.say(f"RCPT TO:<u{n}@d{n % 50}.example>\r\n".encode())
        assert wire.hear().startswith("250")
        assert all(wire.hear().startswith("250") for _ in range(1_000))
        assert wire.hear().startswith("452 4.5.3 Too many recipients")
        assert wire.ask(b"DATA\r\n").startswith("354")
        assert wire.ask(MINE + b".\r\n").startswith("250")
    found = queued(site)
    assert len(found) == 50
    assert sum(len(claimed.recipients) for _, claimed, _ in found) == 1_000


def test_a_bounce_of_what_was_passed_on_goes_back_to_its_sender(site: Site) -> None:
    with greeted(site) as wire:
        assert send(wire, "away@example.test").startswith("250")
        ((_, claimed, _),) = queued(site)
        rewritten = claimed.queued.sender
        assert send(wire, rewritten).startswith(f"550 5.7.1 <{rewritten}>: nothing but bounces")
        wire.ask(b"RSET\r\n")
        assert send(wire, rewritten.replace("elsewhere", "other"), sender="<>").startswith(
            "550 5.1.1"
        )
        wire.ask(b"RSET\r\n")
        assert send(wire, rewritten.upper(), sender="<>", raw=MINE).startswith("250")
    bounce = queued(site)[-1]
    assert bounce[0] == "elsewhere.test"
    new, (to,) = bounce[1].queued, bounce[1].recipients
    assert (new.sender, new.notices_to, new.prefix) == ("", "", b"")
    assert to.address.lower() == "a@elsewhere.test"


def test_users_are_told_of_addresses_that_do_not_exist(site: Site) -> None:
    site.store.write_now(
        lambda tx: tx.suppressions.add("x@elsewhere.test", "5.1.1", "550 no such user", None)
    )
    with submit(site) as wire:
        reply = send(wire, "X@elsewhere.test", sender=ALICE, raw=MINE)
        assert re.match(r"550 5\.1\.1 <X@elsewhere.test>: its server said on \d{4}-", reply)
        site.store.write_now(lambda tx: tx.suppressions.remove("x@elsewhere.test"))
        wire.ask(b"RSET\r\n")
        assert send(wire, "X@elsewhere.test", sender=ALICE, raw=MINE).startswith("250")


@pytest.mark.rfc(4865, "4", "4.2")
def test_what_is_sent_later_waits_for_everybody(site: Site) -> None:
    with submit(site) as wire:
        for command in (
            f"MAIL FROM:{ALICE} HOLDFOR=3600",
            "RCPT TO:<bob@example.test>",
            "RCPT TO:<away@example.test> NOTIFY=NEVER",
            "RCPT TO:<x@elsewhere.test>",
            "RCPT TO:<bob@[127.0.0.1]>",
            "RCPT TO:<postmaster>",
            "DATA",
        ):
            reply = wire.ask(command.encode() + b"\r\n")
            assert reply[0] in "23", reply
        assert wire.ask(MINE + b".\r\n").startswith("250 2.0.0")
    assert site.messages("bob@example.test") == []

    def waiting(tx: Read) -> list[tuple[str, str, int]]:
        return tx.queue._db.rows(
            "SELECT d.name, r.address, q.release_at - q.created_at FROM queued_recipient r"
            " JOIN queued q ON q.id = r.queued_id JOIN destination d ON d.id = r.destination_id"
            " ORDER BY r.id"
        )

    found = site.store.read_now(waiting)
    assert [row[:2] for row in found] == [
        ("local", "bob@example.test"),
        ("local", "away@example.test"),
        ("elsewhere.test", "x@elsewhere.test"),
        ("local", "bob"),
        ("local", "postmaster"),
    ]
    assert all(3_590 < seconds <= 3_600 for _, _, seconds in found)
    assert site.store.read_now(lambda tx: tx.queue.due(int(site.context.now()) + 60, 10)) == []


@pytest.mark.rfc(3461, "4.1", "5.2.2")
@pytest.mark.rfc(3464, "2.3.3")
def test_a_user_hears_at_once_of_what_was_delivered(site: Site) -> None:
    with submit(site) as wire:
        for command in (
            f"MAIL FROM:{ALICE} ENVID=e1",
            "RCPT TO:<bob@example.test> NOTIFY=SUCCESS ORCPT=rfc822;Bob@x.example",
            "RCPT TO:<away@example.test> NOTIFY=SUCCESS,FAILURE",
            "RCPT TO:<dave@other.test>",
            "RCPT TO:<y@elsewhere.test> NOTIFY=SUCCESS",
            "DATA",
        ):
            reply = wire.ask(command.encode() + b"\r\n")
            assert reply[0] in "23", reply
        assert wire.ask(MINE + b".\r\n").startswith("250")
    notices = b"".join(site.messages("alice@example.test"))
    assert len(site.messages("alice@example.test")) == 2
    assert notices.count(b"\r\nOriginal-Envelope-Id: e1\r\n") == 2
    assert b"Final-Recipient: rfc822; bob@example.test\r\n" in notices
    assert b"Original-Recipient: rfc822; Bob@x.example\r\n" in notices
    assert b"\r\nAction: delivered\r\n" in notices
    assert b"\r\nAction: relayed\r\n" in notices
    assert b"dave@other.test" not in notices
    assert b"friend@elsewhere.test" not in notices, "whom an alias leads to is its own business"


def test_a_stranger_hears_of_it_through_the_queue_and_a_null_sender_never(site: Site) -> None:
    with greeted(site) as wire:
        for sender in ("<a@elsewhere.test>", "<>"):
            for command in (
                f"MAIL FROM:{sender} RET=HDRS",
                "RCPT TO:<bob@example.test> NOTIFY=SUCCESS",
                "DATA",
            ):
                assert wire.ask(command.encode() + b"\r\n")[0] in "23"
            assert wire.ask(RAW + b".\r\n").startswith("250")
    ((_, claimed, data),) = queued(site)
    assert (claimed.queued.sender, claimed.queued.origin) == ("", "notice")
    assert claimed.recipients[0].address == "a@elsewhere.test"
    assert b"\r\nAction: delivered\r\n" in data


def test_no_notice_without_the_message(site: Site) -> None:
    with submit(site) as wire:
        for command in (
            f"MAIL FROM:{ALICE}",
            "RCPT TO:<bob@example.test> NOTIFY=SUCCESS",
            "RCPT TO:<small@example.test>",
            "DATA",
        ):
            assert wire.ask(command.encode() + b"\r\n")[0] in "23"
        assert wire.ask(MINE + b"x" * 2_000 + b"\r\n.\r\n").startswith("452 4.2.2")
    assert site.messages("alice@example.test") == []


@pytest.mark.rfc(5321, "4.5.3.1.1")
def test_a_long_sender_is_kept_so_that_the_bounce_finds_him(site: Site) -> None:
    sender = "bounces+1234567-abcd-alice=example.test@em1234.news.company.example"
    with greeted(site) as wire:
        assert send(wire, "away@example.test", sender=f"<{sender}>").startswith("250")
        ((_, claimed, _),) = queued(site)
        rewritten = claimed.queued.sender
        assert len(rewritten.partition("@")[0]) <= 64
        assert send(wire, rewritten, sender="<>", raw=MINE).startswith("250")
        bounce = queued(site)[-1]
        assert bounce[1].recipients[0].address == sender
        later = int(site.context.now()) + 10
        assert site.store.write_now(lambda tx: tx.senders.forget(later, 10)) == 1
        reply = send(wire, rewritten, sender="<>", raw=MINE)
        assert reply.endswith(": no sender of ours: it is forgotten")


def test_an_account_that_goes_while_its_forward_is_used(site: Site) -> None:
    def forward(tx: Write) -> None:
        account = tx.accounts.by_address("bob", "example.test")
        assert account is not None
        aliases.forward(tx, account, [parse("b@elsewhere.test")], keeps_copy=False)

    def gone(tx: Write) -> None:
        account = tx.accounts.by_address("bob", "example.test")
        assert account is not None
        tx.accounts.remove(account.id)

    site.store.write_now(forward)
    with greeted(site) as wire:
        for command in (b"MAIL FROM:<>", b"RCPT TO:<bob@example.test>", b"DATA"):
            assert wire.ask(command + b"\r\n")[0] in "23"
        site.store.write_now(gone)
        assert wire.ask(RAW + b".\r\n").startswith("450 4.2.1")
        assert send(wire, "bob@example.test").startswith("550 5.1.1")
    assert queued(site) == []


def test_a_user_who_is_removed_while_he_sends(site: Site) -> None:
    with submit(site) as wire:
        for command in (f"MAIL FROM:{ALICE}", "RCPT TO:<x@elsewhere.test>", "DATA"):
            assert wire.ask(command.encode() + b"\r\n")[0] in "23"

        def gone(tx: Write) -> None:
            account = tx.accounts.by_address("alice", "example.test")
            assert account is not None
            tx.accounts.remove(account.id)

        site.store.write_now(gone)
        assert wire.ask(MINE + b".\r\n").startswith("550 5.7.1 Your account")
    assert queued(site) == []
