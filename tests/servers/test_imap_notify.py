"""NOTIFY over sockets and across worker processes (RFC 5465)."""

import pytest

from outside.server import running
from servers.test_imap_sharing import log_in as guest_log_in
from servers.test_imap_workers import log_in

EVERYTHING = (
    "NOTIFY SET (selected (MessageNew (UID) MessageExpunge FlagChange))"
    " (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange))"
)


@pytest.mark.rfc(5465, "3.1", "5")
def test_events_across_processes() -> None:
    with running(workers="2", count=1) as server:
        # the kernel spreads the connections: among eight, some are in each process
        listeners = [log_in(server, select="INBOX") for _ in range(8)]
        for listener in listeners:
            assert b" OK " in listener.command("ENABLE IMAP4rev2")[-1]
            assert b" OK " in listener.command(EVERYTHING)[-1]
        writers = [log_in(server) for _ in range(4)]
        for count, writer in enumerate(writers, 1):
            assert b" OK " in writer.command("APPEND Sent {3+}\r\nabc")[-1]
            told = b"* STATUS Sent (UIDNEXT %d MESSAGES %d UNSEEN %d)" % (count + 1, count, count)
            assert [listener.line() for listener in listeners] == [told] * 8
            assert b" OK " in writer.command("APPEND INBOX {3+}\r\nabc")[-1]
            for listener in listeners:
                assert listener.line() == b"* %d EXISTS" % count
                assert listener.line() == b"* %d FETCH (UID %d)" % (count, count)
        first = writers[0]
        for command, told in (
            ("CREATE New", b'* LIST (\\HasNoChildren) "/" New'),
            ("SUBSCRIBE New", b'* LIST (\\HasNoChildren \\Subscribed) "/" New'),
            ("RENAME New Old", b'* LIST (\\HasNoChildren) "/" Old ("OLDNAME" (New))'),
            ('SETMETADATA Old (/shared/comment "x")', b"* METADATA Old /shared/comment"),
            ("DELETE Old", b'* LIST (\\NonExistent) "/" Old'),
        ):
            assert b" OK " in first.command(command)[-1]
            assert [listener.line() for listener in listeners] == [told] * 8
        # commands go on working, and what happens meanwhile comes after them
        for listener in listeners:
            assert listener.command("UID SEARCH ALL")[0].endswith(b"UID ALL 1:4")
        assert b" OK " in first.command("SELECT INBOX")[-1]
        assert b" OK " in first.command("STORE 1 +FLAGS.SILENT (\\Deleted)")[-1]
        for listener in listeners:
            assert listener.line() == b"* 1 FETCH (UID 1 FLAGS (\\Deleted))"
        assert b" OK " in first.command("EXPUNGE")[-1]
        for listener in listeners:
            assert listener.line() == b"* 1 EXPUNGE"
            listener.send(b"x IDLE\r\n")
            assert listener.line() == b"+ idling"
        assert b" OK " in first.command("CREATE Another")[-1]
        for listener in listeners:
            assert listener.line() == b'* LIST (\\HasNoChildren) "/" Another'
            listener.send(b"DONE\r\n")
            assert listener.line() == b"x OK IDLE terminated."


@pytest.mark.rfc(5465, "3.1", "5.4")
@pytest.mark.rfc(4314, "5.1.1")
def test_guests_hear_what_they_may_and_no_more() -> None:
    with running(workers="2", count=2) as server:
        owner, guest = (account.address for account in server.accounts)
        theirs = f"Other Users/{owner}/INBOX"
        alice = guest_log_in(server, 0)
        assert b" OK " in alice.command(f"SETACL INBOX {guest} lr")[-1]
        bobs = [guest_log_in(server, 1) for _ in range(4)]
        for bob in bobs:
            assert b" OK " in bob.command(f'SELECT "{theirs}"')[-1]
            events = "(MessageNew (UID) MessageExpunge MailboxName)"
            wanted = (
                f'(selected (MessageNew (UID) MessageExpunge)) (subtree "Other Users" {events})'
            )
            assert b" BAD " in bob.command(f"NOTIFY SET {wanted}")[-1]
            wanted = wanted.replace(events, events.replace(" (UID)", ""))
            assert b" OK " in bob.command(f"NOTIFY SET {wanted}")[-1]
        assert b" OK " in alice.command("APPEND INBOX {3+}\r\nabc")[-1]
        for bob in bobs:
            assert bob.line() == b"* 1 EXISTS"
            assert bob.until(b"* 1 FETCH")[-1] == b"* 1 FETCH (UID 1)"
        assert b" OK " in alice.command("CREATE Plans")[-1]
        assert b" OK " in alice.command(f"SETACL Plans {guest} lr")[-1]
        for bob in bobs:
            assert bob.until(b"* LIST (\\HasNoChildren)")[-1].endswith(b'/Plans"')
        assert b" OK " in alice.command(f"DELETEACL INBOX {guest}")[-1]
        assert b" OK " in alice.command("APPEND INBOX {3+}\r\nabc")[-1]
        for bob in bobs:
            heard = bob.until(b"* BYE")
            assert heard[-1] == b"* BYE You may no longer read this mailbox."
            assert b"* 2 EXISTS" not in heard
            bob.is_closed()
