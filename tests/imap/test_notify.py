"""NOTIFY (RFC 5465): what is asked for, whose mailboxes, and that nothing is lost between two states."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.engine import House, logged_in
from imap.test_metadata import allow
from mailserver.base.errors import MailError, PeerError
from mailserver.base.ids import ModSeq
from mailserver.base.limits import ImapLimits
from mailserver.imap.notify import Group, Request, Selected, Which, parse
from mailserver.imap.parser import Parser
from transcript import play

MESSAGES = frozenset({"MessageNew", "MessageExpunge"})


def asked(line: str) -> Request:
    p = Parser(line.encode(), ImapLimits())
    request = parse(p)
    p.end()
    return request


@pytest.mark.rfc(5465, "6", "8")
@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (" NONE", Request()),
        (" set (selected none)", Request()),
        (
            " SET (SELECTED (MessageNew MessageExpunge FlagChange))",
            Request(selected=Selected()),
        ),
        (
            " SET (selected-delayed (MessageExpunge MessageNew))",
            Request(selected=Selected(is_delayed=True, has_flags=False)),
        ),
        (
            " SET STATUS (inboxes (MessageNew MessageExpunge)) (subscribed (MailboxName))",
            Request(
                (
                    Group(Which.PERSONAL, frozenset(), MESSAGES),
                    Group(Which.SUBSCRIBED, frozenset(), frozenset({"MailboxName"})),
                ),
                wants_status=True,
            ),
        ),
        (
            ' SET (subtree (Lists "A b/") (SubscriptionChange)) (mailboxes inbox NONE)',
            Request(
                (
                    Group(
                        Which.SUBTREE,
                        frozenset({"Lists", "A b"}),
                        frozenset({"SubscriptionChange"}),
                    ),
                    Group(Which.MAILBOXES, frozenset({"INBOX"}), frozenset()),
                )
            ),
        ),
    ],
)
def test_reads(line: str, request_: Request) -> None:
    assert asked(line) == request_


@given(st.text("SETNOAUPRLMDabc()/ \"'inboxespersonalMessageNewExpunge{1}\r\n", max_size=80))
def test_garbage(text: str) -> None:
    for start in (" ", " SET ", " SET ("):
        try:
            asked(start + text)
        except (PeerError, MailError):
            continue


@pytest.mark.rfc(5465, "6")
def test_which_mailboxes_are_meant() -> None:
    both = asked(
        " SET (subtree Lists (MailboxName)) (mailboxes (INBOX Lists) (SubscriptionChange))"
        " (subscribed (MailboxMetadataChange)) (personal (MessageNew MessageExpunge))"
    )

    def events(name: str) -> set[str]:
        return set(both.events(name, {"Read"})) - MESSAGES

    assert events("Lists") == {"MailboxName", "SubscriptionChange"}
    assert events("Lists/a/b") == {"MailboxName"}
    assert events("Lists2") == set()
    assert events("INBOX") == {"SubscriptionChange"}
    assert events("Read") == {"MailboxMetadataChange"}
    assert both.events("Other Users/bob@example.test/Plans", ()) == frozenset()
    assert both.events("Else", ()) == MESSAGES


@pytest.mark.rfc(5465, "3.1", "5.4")
def test_rights(house: House) -> None:
    """Only what may be looked up and read is told of; a right that comes or goes is a mailbox that does."""
    alice, bob = logged_in(house), logged_in(house, "bob")
    alice(b"a CREATE Plans\r\n")
    alice(b"b CREATE Plans/Secret\r\n")
    alice(b"c CREATE Listed\r\n")
    allow(house, "Listed", "l")
    theirs = "Other Users/alice@example.test"
    play(
        f"""
C: a NOTIFY SET STATUS (subtree "Other Users" (MessageNew MessageExpunge MailboxName)) (mailboxes Nothing NONE)
S: * LIST (\\NoAccess) "/" "{theirs}/Listed"
S: a OK NOTIFY completed.
""",
        bob,
    )

    def told(*lines: str) -> None:
        house.settle()
        assert bob(b"").decode().split("\r\n")[:-1] == list(lines)

    alice(b"d APPEND Plans {1+}\r\nx\r\n")
    alice(b"d APPEND Listed {1+}\r\nx\r\n")
    told()
    allow(house, "Plans", "lr")
    told(
        f'* LIST (\\NonExistent \\HasChildren) "/" "{theirs}"',
        f'* LIST (\\HasNoChildren) "/" "{theirs}/Plans"',
        f'* STATUS "{theirs}/Plans" (UIDNEXT 2 MESSAGES 1 UIDVALIDITY {validity(house, "Plans")})',
    )
    alice(b"e APPEND Plans {1+}\r\nx\r\n")
    told(f'* STATUS "{theirs}/Plans" (UIDNEXT 3 MESSAGES 2)')
    alice(b"f APPEND Plans/Secret {1+}\r\nx\r\n")
    told()
    allow(house, "Plans", "r")
    told(
        f'* LIST (\\NonExistent \\HasChildren) "/" "{theirs}"',
        f'* LIST (\\NonExistent) "/" "{theirs}/Plans"',
    )


def validity(house: House, name: str) -> int:
    alice = house.accounts["alice"].id
    return house.store.read_now(lambda tx: tx.mailboxes.get(alice, name).uidvalidity)


@pytest.mark.rfc(5464, "4.4", "4.4.2")
@pytest.mark.rfc(5465, "5.6", "5.7")
def test_annotations_that_others_change(house: House) -> None:
    """By ENABLE METADATA and by NOTIFY; only names of entries, nothing of one's own doing."""
    one, two = logged_in(house), logged_in(house)
    three = logged_in(house, "bob")
    assert one(b"a ENABLE METADATA\r\n").endswith(b"a OK ENABLE completed.\r\n")
    two(b"a NOTIFY SET (mailboxes Sent (MailboxMetadataChange ServerMetadataChange))\r\n")
    play('C: b SETMETADATA INBOX (/private/comment "x")\nS: b OK SETMETADATA completed.', one)
    assert two(b"") == b""
    two(b'c SETMETADATA Sent (/private/comment "x" /shared/comment "y")\r\n')
    assert one(b"") == b"* METADATA Sent /private/comment /shared/comment\r\n"
    assert two(b"") == b""
    one(b'd SETMETADATA "" (/private/vendor/me/a "x")\r\n')
    assert two(b"") == b'* METADATA "" /private/vendor/me/a\r\n'
    two(b"e SETMETADATA Sent (/private/comment NIL)\r\n")
    assert one(b"") == b"* METADATA Sent /private/comment\r\n"
    one(b'f SETMETADATA Junk (/private/specialuse "\\\\Sent")\r\n')
    assert two(b"") == b"* METADATA Sent /private/specialuse\r\n"
    three(b'g SETMETADATA INBOX (/private/comment "bob")\r\n')
    assert (one(b""), two(b"")) == (b"", b"")
    # ENABLE METADATA does not make news of the mailbox come of themselves
    one(b"h SELECT INBOX\r\n")
    house.deliver()
    assert one(b"") == b""
    assert one(b"i NOOP\r\n").startswith(b"* 1 EXISTS\r\n")


@pytest.mark.rfc(5465, "3.1")
def test_too_many_mailboxes(tmp_path: Path) -> None:
    house = House(tmp_path, ImapLimits(notify_mailboxes=7))
    one, two = logged_in(house), logged_in(house)
    one(b"a NOTIFY SET (personal (MailboxName))\r\n")
    two(b"b CREATE seven\r\n")
    assert one(b"") == b'* LIST (\\HasNoChildren) "/" seven\r\n'
    two(b"c CREATE eight\r\n")
    assert one(b"").startswith(b"* OK [NOTIFICATIONOVERFLOW] ")
    two(b"d DELETE eight\r\n")
    assert one(b"") == b""
    two(b"e CREATE eight\r\n")
    answer = one(b"f NOTIFY SET (personal (MailboxName))\r\n")
    assert answer.startswith(b"f NO [NOTIFICATIONOVERFLOW] ")
    house.close()


def test_a_look_that_is_too_old_is_no_news(house: House) -> None:
    """One may have begun before the client asked again; what a session does meanwhile stays its own."""
    one, two = logged_in(house), logged_in(house)
    one(b"a NOTIFY SET (personal (MailboxName))\r\n")
    observer = one.session.observer
    assert observer is not None
    old = observer.state
    assert old is not None
    two(b"b CREATE new\r\n")
    assert one(b"") == b'* LIST (\\HasNoChildren) "/" new\r\n'
    assert observer.told(one.session, old) == []
    assert observer.is_stale
    assert one(b"") == b""
    account = house.accounts["alice"].id
    later = (account, ModSeq(observer.state.modseqs[account] + 5))
    observer.mine.add(later)
    two(b"c CREATE newer\r\n")
    assert one(b"") == b'* LIST (\\HasNoChildren) "/" newer\r\n'
    assert observer.mine == {later}


@pytest.mark.rfc(5465, "5.1", "5.2", "5.3")
def test_with_condstore_modseqs_are_told(house: House) -> None:
    one = logged_in(house)
    one(b"a ENABLE CONDSTORE\r\n")
    one(b"b NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))\r\n")
    play(
        """
C2: a APPEND Sent (\\Seen) {1+}
C2: x
S2: a OK [APPENDUID ...
S1: * STATUS Sent (UIDNEXT 2 MESSAGES 1 HIGHESTMODSEQ {first} UIDVALIDITY {validity})
C2: b SELECT Sent
S2: ...
S2: b OK ...
C2: c STORE 1 +FLAGS.SILENT (\\Flagged)
S2: c OK ...
S1: * STATUS Sent (HIGHESTMODSEQ {second} UIDVALIDITY {validity})
""",
        {"1": one, "2": logged_in(house)},
    )


@pytest.mark.rfc(5465, "5.4")
def test_renamed_trees_and_inbox(house: House) -> None:
    one, two = logged_in(house), logged_in(house)
    two(b"a CREATE a/b/c\r\n")
    one(b"b NOTIFY SET (personal (MailboxName))\r\n")
    two(b"c RENAME a z\r\n")
    assert one(b"") == b'* LIST (\\HasChildren) "/" z ("OLDNAME" (a))\r\n'
    two(b"d RENAME z/b/c z/x\r\n")
    assert one(b"") == b'* LIST (\\HasNoChildren) "/" z/x ("OLDNAME" (z/b/c))\r\n'
    two(b"e RENAME INBOX kept\r\n")
    assert one(b"") == b'* LIST (\\HasNoChildren) "/" kept\r\n'
    two(b"f DELETE z\r\n")  # it has inferiors
    assert one(b"") == b'* LIST (\\Noselect \\HasChildren) "/" z\r\n'


COMMANDS = st.lists(
    st.one_of(
        st.tuples(st.just("CREATE"), st.sampled_from("abc")),
        st.tuples(st.just("DELETE"), st.sampled_from("abc")),
        st.tuples(st.just("SUBSCRIBE"), st.sampled_from("abc")),
        st.tuples(st.just("UNSUBSCRIBE"), st.sampled_from("abc")),
        st.tuples(st.just("RENAME"), st.sampled_from(["a b", "b c", "c a"])),
        st.tuples(st.just("APPEND"), st.sampled_from(["a {1+}\r\nx", "b {1+}\r\nx"])),
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None)
@given(st.lists(COMMANDS, max_size=4))
def test_who_listens_knows_the_truth(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[str, str]]]
) -> None:
    """A client that only listens has the same list of mailboxes as one that asks, however changes were merged."""
    house = House(tmp_path_factory.mktemp("house"))
    ear, hand = logged_in(house), logged_in(house)
    known = {
        "INBOX": "", "Drafts": "", "Sent": "", "Trash": "", "Junk": "", "Archive": ""
    }  # fmt: skip
    ear(b"a NOTIFY SET (personal (MessageNew MessageExpunge MailboxName SubscriptionChange))\r\n")
    observer = ear.session.observer
    assert observer is not None
    for step in steps:
        heard, observer.is_stale = ear.hear_elsewhere, False
        ear.hear_elsewhere = lambda: None  # type: ignore[method-assign]  # does not listen for a while
        for command, arguments in step:
            hand(f"x {command} {arguments}\r\n".encode())
        ear.hear_elsewhere = heard  # type: ignore[method-assign]
        house.settle()
        for line in ear(b"").decode().split("\r\n")[:-1]:
            if line.startswith("* LIST"):
                name = line.split('"/" ')[1].split(" ")[0]
                if "OLDNAME" in line:
                    known[name] = known.pop(line.split('("OLDNAME" (')[1].rstrip(")"), "")
                if "\\NonExistent" in line:
                    known.pop(name, None)
                else:
                    known.setdefault(name, "")
            elif line.startswith("* STATUS"):
                name, _, items = line.removeprefix("* STATUS ").partition(" ")
                known[name] = items.split("MESSAGES ")[1].split(" ")[0].rstrip(")")
    truth = {}
    for line in hand(b'x LIST "" * RETURN (STATUS (MESSAGES))\r\n').decode().split("\r\n"):
        if line.startswith("* STATUS"):
            name, _, items = line.removeprefix("* STATUS ").partition(" ")
            truth[name] = items.split("MESSAGES ")[1].rstrip(")")
    assert known.keys() == truth.keys()
    assert {name: count or "0" for name, count in known.items()} == truth
    house.close()


EVENTS = st.lists(
    st.one_of(
        st.just("deliver"),
        st.tuples(st.just("expunge"), st.integers(1, 8)),
        st.tuples(st.just("flag"), st.integers(1, 8)),
        st.sampled_from(
            ["selected", "selected-delayed", "deaf", "noop", "idle", "own", "uid fetch"]
        ),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(EVENTS)
def test_who_listens_counts_right(
    tmp_path_factory: pytest.TempPathFactory, events: list[str | tuple[str, int]]
) -> None:
    """A client that learns UIDs only from what it is told ends with those that are there."""
    house = House(tmp_path_factory.mktemp("house"))
    for _ in range(4):
        house.deliver()
    ear, hand = logged_in(house, select="INBOX"), logged_in(house, select="INBOX")
    uids: list[int] = [1, 2, 3, 4]

    def hear(said: bytes) -> None:
        for line in said.decode().split("\r\n"):
            words = line.split(" ")
            if line.endswith(" EXPUNGE"):
                del uids[int(words[1]) - 1]
            elif line.endswith(" EXISTS"):
                assert int(words[1]) >= len(uids)
                uids.extend([0] * (int(words[1]) - len(uids)))
            elif words[2:3] == ["FETCH"] and "(UID" in line:
                uids[int(words[1]) - 1] = int(line.split("(UID ")[1].split(" ")[0].rstrip(")"))

    def ask(command: str) -> None:
        hear(ear(command.encode() + b"\r\n"))

    full = "(MessageNew (UID) MessageExpunge FlagChange)"
    ask(f"a NOTIFY SET (selected {full})")
    for event in events:
        if event == "deliver":
            house.deliver()
        elif event == "own":
            ask("b APPEND INBOX {1+}\r\nx")
            ask("c UID FETCH 1:* (UID)")
        elif event == "deaf":
            ask("d NOTIFY NONE")
            before = list(uids)
            house.deliver()
            ask("e NOOP")
            assert uids == before
        elif event == "noop":
            ask("f NOOP")
        elif event == "uid fetch":
            ask("g UID FETCH 1:* (UID)")
        elif event == "idle":
            ask("h IDLE")
            house.deliver()
            ask("DONE")
        elif isinstance(event, str):
            ask(f"i NOTIFY SET ({event} {full})")
        elif event[0] == "expunge":
            hand(b"x UID STORE %d +FLAGS.SILENT (\\Deleted)\r\n" % event[1])
            hand(b"x EXPUNGE\r\n")
        else:
            hand(b"x UID STORE %d +FLAGS.SILENT (\\Flagged)\r\n" % event[1])
        hear(ear(b""))
    ask(f"j NOTIFY SET (selected {full})")
    ask("k NOOP")
    ask("l UID FETCH 1:* (UID)")
    hand(b"x NOOP\r\n")
    truth = hand(b"x UID SEARCH ALL\r\n").decode().split("\r\n")
    (found,) = [line for line in truth if line.startswith("* SEARCH")]
    assert uids == [int(word) for word in found.split()[2:]]
    house.close()
