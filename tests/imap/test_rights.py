r"""Each command with each right missing: the table has a line for every command there is, so a new one has to say.

alice owns Box and Box/Sub; bob is a guest there.  A line is a command and the rights it needs, all of them and no more:
with these it is carried out; with all but one of them it is refused and nothing changes; with none at all the answer is
the one for a mailbox that is not there.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.engine import Client, House, logged_in
from mailserver.base.ids import ModSeq, Uid
from mailserver.directory.rights import ALL
from mailserver.imap import registry
from mailserver.imap.list_returns import RETURNS
from mailserver.store import flags as bits
from mailserver.store.values import Grantee

BOX = "Other Users/alice@example.test/Box"
registry.load()


class Line(NamedTuple):
    """What bob says, with BOX for the mailbox.

    also:   and one of several rights, of which this is one.
    shows:  it is no refusal that tells of a missing right: this is in the answer where the rights are there, and only
            there.
    """

    says: str
    needs: str
    shows: str = ""
    also: str = ""


#: in the authenticated state
NAMED: dict[str, list[Line]] = {
    "APPEND": [Line('APPEND "BOX" {3+}\r\nabc', "i")],
    "CREATE": [Line('CREATE "BOX/New"', "k")],
    "DELETE": [Line('DELETE "BOX/Sub"', "x")],
    "DELETEACL": [Line('DELETEACL "BOX" carol@example.test', "a")],
    "ESEARCH": [
        Line('ESEARCH IN (mailboxes "BOX") SUBJECT message', "r", "* ESEARCH"),
        Line('ESEARCH IN (subtree "Other Users") SUBJECT message', "lr", "* ESEARCH"),
    ],
    "UID ESEARCH": [Line('UID ESEARCH IN (mailboxes "BOX") SUBJECT message', "r", "* ESEARCH")],
    "EXAMINE": [Line('EXAMINE "BOX"', "r")],
    "GETACL": [Line('GETACL "BOX"', "a")],
    "GETMETADATA": [Line('GETMETADATA "BOX" /shared/comment', "l", also="r")],
    "GETQUOTA": [Line("GETQUOTA alice@example.test", "lr")],
    "GETQUOTAROOT": [Line('GETQUOTAROOT "BOX"', "r")],
    "LIST": [
        Line('LIST "" "BOX"', "l", "/Box"),
        Line('LIST "" "BOX" RETURN (STATUS (MESSAGES))', "lr", "* STATUS"),
        Line('LIST "" "BOX" RETURN (MYRIGHTS)', "l", "* MYRIGHTS"),
        Line('LIST "" "BOX" RETURN (METADATA (/shared/comment))', "l", "* METADATA", also="r"),
    ],
    "LISTRIGHTS": [Line('LISTRIGHTS "BOX" bob@example.test', "a")],
    "MYRIGHTS": [Line('MYRIGHTS "BOX"', "", also=right) for right in "lrikxa"],
    "NAMESPACE": [Line("NAMESPACE", "l", "Other Users/")],
    "NOTIFY": [
        Line('NOTIFY SET STATUS (mailboxes "BOX" (MessageNew MessageExpunge))', "lr", "* STATUS"),
    ],
    "RENAME": [Line('RENAME "BOX/Sub" "BOX/Other"', "kx")],
    "SELECT": [Line('SELECT "BOX"', "r")],
    "SETACL": [Line('SETACL "BOX" carol@example.test lr', "a")],
    "SETMETADATA": [
        Line('SETMETADATA "BOX" (/shared/comment "x")', "lw"),
        Line('SETMETADATA "BOX" (/private/comment "x")', "l", also="i"),
    ],
    "STATUS": [Line('STATUS "BOX" (MESSAGES UNSEEN SIZE)', "r")],
}

#: with BOX selected: everything needs "r"
SELECTED: dict[str, list[Line]] = {
    "CHECK": [Line("CHECK", "r")],
    "CLOSE": [Line("CLOSE", "r")],
    "COPY": [Line("COPY 1 Sent", "r"), Line('COPY 1 "BOX/Sub"', "ri")],
    "EXPUNGE": [Line("EXPUNGE", "re")],
    "FETCH": [Line("FETCH 1 (FLAGS BODY[])", "r")],
    "IDLE": [Line("IDLE\r\nDONE", "r")],
    "MOVE": [Line("MOVE 1 Sent", "rte"), Line('MOVE 1 "BOX/Sub"', "rtei")],
    "NOOP": [Line("NOOP", "r")],
    "REPLACE": [
        Line("REPLACE 1 Sent {3+}\r\nabc", "rte"),
        Line('REPLACE 1 "BOX" {3+}\r\nabc', "rtei"),
    ],
    "SEARCH": [Line("SEARCH SUBJECT message", "r")],
    "SORT": [Line("SORT (SUBJECT) UTF-8 ALL", "r")],
    "THREAD": [Line("THREAD REFERENCES UTF-8 ALL", "r")],
    "STORE": [
        Line("STORE 1 +FLAGS (\\Seen)", "rs"),
        Line("STORE 1 +FLAGS (\\Deleted)", "rt"),
        Line("STORE 1 +FLAGS (\\Flagged)", "rw"),
        Line("STORE 1 +FLAGS (Work)", "rw"),
        Line("STORE 1 -FLAGS.SILENT (\\Answered)", "rw"),
    ],
    "UID COPY": [Line("UID COPY 1 Sent", "r"), Line('UID COPY 1 "BOX/Sub"', "ri")],
    "UID EXPUNGE": [Line("UID EXPUNGE 2", "re")],
    "UID FETCH": [Line("UID FETCH 1 (FLAGS BODY[])", "r")],
    "UID MOVE": [Line("UID MOVE 1 Sent", "rte")],
    "UID REPLACE": [Line("UID REPLACE 1 Sent {3+}\r\nabc", "rte")],
    "UID SEARCH": [Line("UID SEARCH SUBJECT message", "r")],
    "UID SORT": [Line("UID SORT (SUBJECT) UTF-8 ALL", "r")],
    "UID THREAD": [Line("UID THREAD REFERENCES UTF-8 ALL", "r")],
    "UID STORE": [Line("UID STORE 1 +FLAGS (\\Seen)", "rs")],
}

#: what has nothing to do with somebody else's mailbox, and why
FREE = {
    "AUTHENTICATE": "log-in",
    "CAPABILITY": "tells nothing of mailboxes",
    "CANCELUPDATE": "ends what SEARCH or SORT began, which needed the right",
    "COMPRESS": "the connection's",
    "ENABLE": "the connection's",
    "GENURLAUTH": "URLs of one's own",
    "ID": "tells nothing of mailboxes",
    "LANGUAGE": "the connection's",
    "LOGIN": "log-in",
    "LOGOUT": "leaves",
    "LSUB": "the user's own list of names; whether they exist is not told",
    "RESETKEY": "URLs of one's own",
    "SETQUOTA": "administrators only",
    "STARTTLS": "the connection's",
    "SUBSCRIBE": "the user's own list of names; whether they exist is not looked at",
    "UIDBATCHES": "counts the UIDs that the client has been told",
    "UNAUTHENTICATE": "leaves",
    "UNSELECT": "leaves",
    "UNSUBSCRIBE": "the user's own list of names",
}


def test_every_command_has_its_line() -> None:
    known = {*NAMED, *SELECTED, *FREE}
    assert registry.COMMANDS.keys() - known == set(), "say which rights a new command needs"


def test_every_return_option_of_list_has_its_line() -> None:
    said = " ".join(line.says for line in NAMED["LIST"])
    assert [name for name in RETURNS if f"({name} " not in said and f"({name})" not in said] == []


class Shared(House):
    """alice's Box, with four messages, of which the second is \\Deleted, and Box/Sub, which is empty."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for number in range(4):
            self.deliver(b"Subject: message %d\r\n\r\nHello.\r\n" % number)
        alice = self.accounts["alice"].id
        self.store.write_now(lambda tx: tx.mailboxes.create(alice, "Box/Sub"))
        self.store.write_now(self._fill)

    def _fill(self, tx: Any) -> None:
        alice = self.accounts["alice"].id
        inbox, box = (tx.mailboxes.get(alice, name).id for name in ("INBOX", "Box"))
        tx.messages.move(inbox, [Uid(n) for n in range(1, 5)], box)
        tx.messages.change_flags(box, [Uid(2)], "add", bits.DELETED)
        tx.messages.change_flags(box, [Uid(1)], "add", bits.ANSWERED)

    def grant(self, rights: str) -> None:
        """bob has these rights to Box and Box/Sub, and no others."""

        def job(tx: Any) -> None:
            alice, bob = self.accounts["alice"].id, self.accounts["bob"].id
            for name in ("Box", "Box/Sub"):
                mailbox = tx.mailboxes.find(alice, name)
                if mailbox is not None:
                    to = Grantee(bob, None)
                    tx.acl.remove(alice, mailbox.id, to, is_negative=False)
                    if rights:
                        tx.acl.set(alice, mailbox.id, to, rights, is_negative=False)

        self.store.write_now(job)
        self.server.changed(m for changes in self.pending for _, m in changes.mailboxes)

    def everything(self) -> list[Any]:
        """All that could have changed: every mailbox's messages, flags and list, whoever's it is."""

        def job(tx: Any) -> list[Any]:
            return [
                (
                    box.name,
                    tx.messages.flags(box.id, [(1, box.uidnext)]),
                    tx.acl.entries(box.id)
                    if "Box" not in box.name
                    else len(tx.acl.entries(box.id)),
                    [tx.messages.unseen(box.id)],
                )
                for account in self.accounts.values()
                for box in tx.mailboxes.all(account.id)
            ]

        return self.store.read_now(job)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    house = Shared(tmp_path)
    yield house
    house.close()


LINES = [(line, False) for lines in NAMED.values() for line in lines] + [
    (line, True) for name, lines in SELECTED.items() for line in lines if name in registry.COMMANDS
]
each_line = pytest.mark.parametrize(
    ("line", "is_selected"), LINES, ids=[f"{line.says.splitlines()[0]} {line.needs}{line.also}" for line, _ in LINES]
)  # fmt: skip


def bob(shared: Shared, *, is_selected: bool) -> Client:
    client = logged_in(shared, "bob")
    if is_selected:
        shared.grant(ALL)
        assert b"x OK" in client(f'x SELECT "{BOX}"\r\n'.encode())
    return client


def say(client: Client, line: Line, box: str = BOX) -> str:
    said = client(f"a {line.says.replace('BOX', box)}\r\n".encode()).decode()
    return said.removeprefix("+ idling\r\n")


def is_done(line: Line, said: str) -> bool:
    return line.shows in said if line.shows else "\r\na OK" in f"\r\n{said}"


@pytest.mark.rfc(4314, "4")
@each_line
def test_with_the_rights_it_is_done(shared: Shared, line: Line, is_selected: bool) -> None:
    client = bob(shared, is_selected=is_selected)
    shared.grant(line.needs + line.also)
    said = say(client, line)
    assert is_done(line, said), said
    assert not shared.store.read_now(lambda tx: tx.verify.problems())


@pytest.mark.rfc(4314, "4")
@each_line
def test_with_one_right_missing_it_is_refused(
    shared: Shared, line: Line, is_selected: bool
) -> None:
    for missing in line.needs:
        client = bob(shared, is_selected=is_selected)
        shared.grant(ALL.replace(missing, ""))
        before = shared.everything()
        said = say(client, line)
        assert not is_done(line, said), (missing, said)
        if not line.shows:
            assert said.startswith(("* BYE You may no longer", "a NO")), (missing, said)
        assert shared.everything() == before, missing


@pytest.mark.rfc(4314, "6")
@each_line
def test_with_none_it_is_as_if_it_were_not_there(
    shared: Shared, line: Line, is_selected: bool
) -> None:
    client = bob(shared, is_selected=is_selected)
    shared.grant("")
    before = shared.everything()
    said = say(client, line)
    assert not is_done(line, said), said
    if is_selected:
        assert said == "* BYE You may no longer read this mailbox.\r\n"
    elif "BOX" in line.says:
        nowhere = say(client, line, BOX.replace("Box", "Nowhere"))
        assert nowhere == said.replace("/Box", "/Nowhere")
    assert shared.everything() == before


@pytest.mark.rfc(4314, "4")
@pytest.mark.parametrize("missing", ["s", "t", "w", "e"])
def test_what_is_left_out_without_a_word(shared: Shared, missing: str) -> None:
    r"""FETCH sets no \Seen, COPY and APPEND leave flags out, CLOSE removes nothing."""
    client = bob(shared, is_selected=True)
    shared.grant(ALL.replace(missing, ""))
    assert b"a OK" in client(b"a FETCH 1 BODY[]\r\n")
    fetched = client(b"b UID FETCH 1 FLAGS\r\n").decode()
    assert ("\\Seen" in fetched) is (missing != "s")
    sub = f"{BOX}/Sub"
    flags = "(\\Seen \\Deleted \\Flagged Work)"
    assert b"c OK" in client(f'c APPEND "{sub}" {flags} {{3+}}\r\nabc\r\n'.encode())
    assert b"d OK" in client(f'd COPY 1:2 "{sub}"\r\n'.encode())
    assert b"e OK" in client(b"e CLOSE\r\n")
    shared.grant(ALL)
    assert (b"MESSAGES 4" in client(f'f STATUS "{BOX}" (MESSAGES)\r\n'.encode())) is (
        missing == "e"
    )
    assert b"g OK" in client(f'g SELECT "{sub}"\r\n'.encode())
    said = client(b"h FETCH 1:* FLAGS\r\n").decode().replace("\\Recent", "").splitlines()[:3]
    rights = {"\\Seen": "s", "\\Deleted": "t", "\\Flagged": "w", "\\Answered": "w", "Work": "w"}
    wanted = [["\\Seen", "\\Deleted", "\\Flagged", "Work"], ["\\Answered", "\\Seen"], ["\\Deleted"]]
    for line, flags_wanted in zip(said, wanted, strict=True):
        found = set(line[line.index("FLAGS (") + 7 : line.index("))")].split())
        assert found == {flag for flag in flags_wanted if rights[flag] != missing}, line


#: what bob tries; the secret is in the text of alice's other mailbox
SECRET = "xyzzy"
WORDS = [
    f'"{BOX}"', f'"{BOX}/Sub"', '"Other Users/alice@example.test/Private"', "Private", "INBOX", "Sent", "Shared/x",
    "alice@example.test", "bob@example.test", "anyone", "lrswipkxtea", "+a", "1", "1:*", "2,1", "*", "$",
    "(\\Seen \\Deleted \\Flagged Work)", "FLAGS", "+FLAGS", "-FLAGS.SILENT", "(FLAGS BODY[])", "(UID ENVELOPE)",
    "(MESSAGES UNSEEN)", "RETURN (ALL)", f"TEXT {SECRET}", "ALL", "UNSEEN", "UTF-8", "(SUBJECT)", "REFERENCES",
    "IN (personal)", 'IN (subtree "Other Users")', 'IN (mailboxes "Other Users/alice@example.test/Private")',
    "{3+}\r\nabc", 'CATENATE (URL "/Other%20Users/alice@example.test/Private/;UID=1")', '(/shared/comment "x")',
    "/shared/comment", "SET (SELECTED (MessageNew MessageExpunge) (subtree \"Other Users\") (MessageNew))",
    '"" "*" RETURN (STATUS (MESSAGES))', "(STORAGE 1)", "QRESYNC", "IMAP4rev2", "CONDSTORE", "\r\nDONE",
]  # fmt: skip
MADE_UP = st.builds(
    lambda name, words: " ".join([name, *words]),
    st.sampled_from(sorted(registry.COMMANDS)),
    st.lists(st.sampled_from(WORDS), max_size=3),
)
MEANT = st.builds(
    lambda line, box: line.says.replace("BOX", box),
    st.sampled_from([line for lines in (*NAMED.values(), *SELECTED.values()) for line in lines]),
    st.sampled_from([BOX, f"{BOX}/Sub", BOX.replace("Box", "Private"), "INBOX"]),
)
TALK = st.lists(MADE_UP | MEANT, min_size=5, max_size=30)


@pytest.mark.rfc(4314, "6")
@settings(max_examples=40, deadline=None)
@given(talk=TALK, rights=st.sampled_from(["lr", "lrs", "l", "lri"]))
def test_whatever_is_tried(talk: list[str], rights: str) -> None:
    """A guest who may read changes nothing of the owner's, and hears nothing of what is not shared."""
    with TemporaryDirectory() as folder:
        house = Shared(Path(folder))
        alice = logged_in(house)
        alice(b"a CREATE Private\r\n")
        alice(b"a APPEND Private {%d+}\r\n%b\r\n" % (len(SECRET), SECRET.encode()))
        house.grant(rights)
        mine = house.accounts["alice"].id

        def owned(tx: Any) -> list[Any]:
            """All that is alice's; modseqs grow with \\Seen and annotations that are bob's own (RFC 7162 §3.1.2.1)."""
            return [
                (
                    box._replace(modseq=ModSeq(0)),
                    [row[:3] for row in tx.messages.flags(box.id, [(1, 4)])],
                    tx.acl.entries(box.id),
                )
                for box in tx.mailboxes.all(mine)
            ]

        before = house.store.read_now(owned)
        client = logged_in(house, "bob", select=BOX if "r" in rights else "INBOX")
        for words in talk:
            said = client(f"a {words}\r\n".encode()).replace(f"TEXT {SECRET}".encode(), b"")
            assert SECRET.encode() not in said, words
            assert b"SERVERBUG" not in said, words
            if client.closed:
                client = logged_in(house, "bob", select=BOX if "r" in rights else "INBOX")
        after = house.store.read_now(owned)
        if "i" not in rights:
            assert after == before
        assert [box[0].name for box in after] == [box[0].name for box in before]
        for was, now in zip(before, after, strict=True):  # "i" lets him add messages, nothing else
            there = {row[0] for row in was[1]}
            assert ([row for row in now[1] if row[0] in there], now[2]) == was[1:]
        assert house.store.read_now(lambda tx: tx.verify.problems()) == []
        house.close()
