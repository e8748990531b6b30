"""NOTIFY over sockets and across worker processes (RFC 5465)."""

import pytest

from outside.server import running
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
