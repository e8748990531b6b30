"""METADATA (RFC 5464): bounds, who may see and change what, and what becomes of annotations."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap.engine import House, logged_in
from mailserver.base.errors import MailError, PeerError
from mailserver.base.limits import ImapLimits
from mailserver.imap.commands import getmetadata, setmetadata
from mailserver.imap.parser import Parser
from mailserver.store.tx import Write
from mailserver.store.values import Grantee
from transcript import play

LIMITS = ImapLimits(annotations=10, annotation_size=1_024, annotations_size=4_000)


@pytest.fixture
def small(tmp_path: Path) -> House:
    """A house with little room for annotations; the least that RFC 5464 §4.1 allows."""
    return House(tmp_path, LIMITS)


def allow(house: House, name: str, rights: str) -> None:
    """Bob gets *rights* to a mailbox of Alice's."""
    alice, bob = house.accounts["alice"].id, Grantee(house.accounts["bob"].id, None)

    def job(tx: Write) -> None:
        mailbox = tx.mailboxes.get(alice, name).id
        tx.acl.set(alice, mailbox, bob, rights, is_negative=False)

    house.store.write_now(job)


@pytest.mark.rfc(5464, "4.1", "4.3")
def test_bounds(small: House) -> None:
    alice = logged_in(small)
    many = " ".join(f'/private/vendor/me/{n} "x"' for n in range(10))
    play(
        f"""
C: a SETMETADATA INBOX ({many})
S: a OK SETMETADATA completed.
C: b SETMETADATA INBOX (/private/vendor/me/0 "y" /shared/comment "z")
S: b NO [METADATA TOOMANY] At most 10 annotations of a mailbox.
C: c GETMETADATA INBOX (/private/vendor/me/0 /shared/comment)
S: * METADATA INBOX (/private/vendor/me/0 "x" /shared/comment NIL)
S: c OK GETMETADATA completed.
C: d SETMETADATA INBOX (/private/vendor/me/0 NIL /shared/comment "z")
S: d OK SETMETADATA completed.
C: e SETMETADATA Sent (/shared/a {{1024+}}
C: {{1024*x}} /shared/b {{1024+}}
C: {{1024*x}} /shared/c {{1024+}}
C: {{1024*x}})
S: e OK SETMETADATA completed.
C: f SETMETADATA Drafts (/shared/a {{1024+}}
C: {{1024*x}})
S: f NO [OVERQUOTA] At most 4000 octets of annotations in all.
C: g SETMETADATA Drafts (/shared/a {{1025+}}
C: {{1025*x}})
S: g NO [METADATA MAXSIZE 1024] The value is too large
# what is deleted makes room at once
C: h DELETE Sent
S: h OK DELETE completed.
C: i SETMETADATA Drafts (/shared/a {{1024+}}
C: {{1024*x}})
S: i OK SETMETADATA completed.
""",
        alice,
    )


def test_names_of_what_was_removed_are_bounded(small: House) -> None:
    alice = logged_in(small)
    for n in range(30):
        alice(b'a SETMETADATA INBOX (/private/vendor/me/%d "x")\r\n' % n)
        alice(b"b SETMETADATA INBOX (/private/vendor/me/%d NIL)\r\n" % n)
    account = small.accounts["alice"].id
    left = small.store.read_now(lambda tx: tx.annotations.changed(account, 0))
    assert [row.entry for row in left] == [f"/private/vendor/me/{n}" for n in range(20, 30)]


@pytest.mark.rfc(5464, "3.2", "3.3")
def test_private_and_shared_in_a_mailbox_of_somebody_else(house: House) -> None:
    alice, bob = logged_in(house), logged_in(house, "bob")
    play(
        """
C: a CREATE Plans
S: a OK ...
C: c SETMETADATA Plans (/shared/comment "ours" /private/comment "alice's")
S: c OK SETMETADATA completed.
C: e CREATE Closed
S: e OK ...
""",
        alice,
    )
    allow(house, "Plans", "lr")
    allow(house, "Closed", "lkx")
    play(
        """
C: a GETMETADATA "Other Users/alice@example.test/Plans" (/shared/comment /private/comment)
S: * METADATA "Other Users/alice@example.test/Plans" (/shared/comment "ours" /private/comment NIL)
S: a OK GETMETADATA completed.
C: b SETMETADATA "Other Users/alice@example.test/Plans" (/private/comment "bob's")
S: b OK SETMETADATA completed.
C: c SETMETADATA "Other Users/alice@example.test/Plans" (/private/comment "x" /shared/comment "y")
S: c NO [NOPERM] ...
C: d LIST "" "Other Users/*" RETURN (METADATA (/private/comment /shared/comment))
S: * LIST (\\HasNoChildren) "/" "Other Users/alice@example.test/Closed"
S: * LIST (\\HasNoChildren) "/" "Other Users/alice@example.test/Plans"
S: * METADATA "Other Users/alice@example.test/Plans" (/private/comment "bob's" /shared/comment "ours")
S: d OK LIST completed.
# looked up, and no more
C: e GETMETADATA "Other Users/alice@example.test/Closed" /shared/comment
S: e NO [NOPERM] ...
C: f GETMETADATA "Other Users/alice@example.test/Drafts" /shared/comment
S: f NO [NONEXISTENT] ...
C: g SETMETADATA "Other Users/alice@example.test/Plans" (/private/specialuse "\\\\Important")
S: g NO [USEATTR] Only mailboxes of one's own have special uses
""",
        bob,
    )
    play(
        """
C: h GETMETADATA Plans /private/comment
S: * METADATA Plans (/private/comment "alice's")
S: h OK GETMETADATA completed.
""",
        alice,
    )
    allow(house, "Plans", "lrw")
    assert bob(
        b'h SETMETADATA "Other Users/alice@example.test/Plans" (/shared/comment "both")\r\n'
    ).startswith(b"h OK")
    assert b'"both"' in alice(b"i GETMETADATA Plans /shared/comment\r\n")


def test_nothing_is_left_of_what_was_deleted(house: House, tmp_path: Path) -> None:
    alice, bob = logged_in(house), logged_in(house, "bob")
    alice(b"a CREATE Plans\r\n")
    allow(house, "Plans", "lr")
    alice(b'c SETMETADATA Plans (/shared/comment "x")\r\n')
    bob(b'd SETMETADATA "Other Users/alice@example.test/Plans" (/private/comment "x")\r\n')
    bob(b'e SETMETADATA "" (/private/comment "x")\r\n')
    database = next(tmp_path.rglob("mailserver.db"))

    def left() -> list[tuple[str]]:
        with sqlite3.connect(database) as db:
            return db.execute("SELECT entry FROM annotation WHERE value IS NOT NULL").fetchall()

    assert len(left()) == 3
    house.store.write_now(lambda tx: tx.accounts.remove(house.accounts["alice"].id))
    while house.store.write_now(lambda tx: tx.purge.some()):
        pass
    assert left() == [("/private/comment",)]
    house.store.write_now(lambda tx: tx.accounts.remove(house.accounts["bob"].id))
    assert left() == []


ARGUMENTS = st.one_of(
    st.binary(max_size=60),
    st.text('()"/ {}~+*%\\privateshdcomnNIL0\r\n', max_size=60).map(str.encode),
)


@given(ARGUMENTS)
def test_garbage_is_refused_or_read(octets: bytes) -> None:
    for parse in (getmetadata.parse, setmetadata.parse):
        for line in (b" INBOX " + octets, b" (" + octets, b" " + octets):
            try:
                parse(Parser(line, LIMITS))
            except (PeerError, MailError):
                continue
