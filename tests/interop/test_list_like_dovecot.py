"""LIST and LSUB beside Dovecot: the same names, attributes and counters, but for what 0052 lists."""

import random  # noqa: TID251 - seeded: a difference can be looked at again
import re

import pytest

from outside.debian import Debian
from outside.server import Server
from outside.wire import Imap, Reply

TREE = (
    "Foo", "Foo/Bar", "Foo/Baz", "Foo/Baz/Deep", "Moo", "Only", "Only/Child", "&AOQ-pfel", "&AOQ-pfel/x",
    "a b", "inbox2", "INBOX/below", "INBOX/below/BELOW", "foo", "foo/bar", "Fo", "Foo2",
)  # fmt: skip
SUBSCRIBED = ("Foo/Bar", "Moo", "Only/Child", "INBOX", "&AOQ-pfel/x", "foo/bar")
COMMANDS = (
    'LIST "" *',
    'LIST "" %',
    'LIST "" ""',
    'LIST Foo ""',
    "LIST Foo/ *",
    "LIST Foo %",
    'LIST "" "inbox"',
    'LIST "" "inbox*"',
    'LIST "" "iNb%"',
    'LIST "" "inbox/%"',
    'LIST "" "Foo//*"',
    'LIST "" "/*"',
    'LIST "" "Foo/"',
    'LIST "" (Foo Moo)',
    'LIST "" ("Foo/%" "M*" "")',
    'LIST (SUBSCRIBED) "" *',
    'LIST (SUBSCRIBED) "" %',
    'LIST (SUBSCRIBED) "" ""',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" %',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" *',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" Foo',
    'LIST (RECURSIVEMATCH) "" *',
    'LIST (REMOTE RECURSIVEMATCH) "" *',
    'LIST (REMOTE) "" %',
    'LIST (REMOTE SUBSCRIBED) "" *',
    'LIST () "" Moo RETURN ()',
    'LIST "" Foo* RETURN (SUBSCRIBED CHILDREN)',
    'LIST "" * RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (MESSAGES))',
    'LIST (COLOUR) "" *',
    'LIST "" * RETURN (COLOUR)',
    'LIST "" Foo RETURN (STATUS (WEATHER))',
    'LIST "" &AOQ',
    'LSUB "" *',
    'LSUB "" %',
    'LSUB "" Foo/%',
    "LSUB Foo/ *",
    'LSUB "" "inbox"',
)


def said(reply: Reply, command: str) -> tuple[bytes, set[bytes]]:
    r"""Status and lines, but for the special mailboxes of each server.

    \HasChildren and \HasNoChildren count where Dovecot tells them: in plain LIST, and where they were asked for.
    """
    lines = set()
    is_plain = command.startswith("LIST") and "(" not in command
    for line in reply.untagged:
        if re.search(rb"Drafts|Sent|Trash|Junk|Archive", line):
            continue
        line = line.replace(b'"', b"")
        m = re.match(rb"(LIST|LSUB) \(([^)]*)\)(.*)", line)
        if m:
            attributes = set(m[2].split())
            if not is_plain and "CHILDREN" not in command:
                attributes -= {b"\\HasChildren", b"\\HasNoChildren"}
            line = m[1] + b" " + b" ".join(sorted(attributes)) + m[3]
        lines.add(line)
    return reply.status, lines


def made_up(dice: random.Random) -> str:
    """A pattern that may or may not match something."""
    pattern = "".join(
        dice.choice(("Foo", "fo", "I", "nbox", "a", "/", "/", "%", "*", "x", "B"))
        for _ in range(dice.randrange(1, 6))
    )
    reference = dice.choice(('""', '""', "Foo/", "INBOX"))
    if dice.random() < 0.5:
        return f'LIST {reference} "{pattern}"'
    options = dice.choice(("(SUBSCRIBED)", "(SUBSCRIBED RECURSIVEMATCH)", "()"))
    return f'LIST {options} {reference} "{pattern}" RETURN (SUBSCRIBED)'


@pytest.mark.rfc(5258, "3", "4", "5")
@pytest.mark.rfc(9051, "6.3.9")
@pytest.mark.rfc(5819, "2")
@pytest.mark.needs("dovecot", "dovecot-imap")
def test_same_names(server: Server, dovecot: Debian) -> None:
    dice = random.Random(5258)
    with Imap(server, server.account()) as ours, Imap(dovecot, dovecot.account()) as theirs:
        for imap in (ours, theirs):
            for name in TREE:
                imap.do(f'CREATE "{name}"')
            for name in SUBSCRIBED:
                imap.do(f'SUBSCRIBE "{name}"')
            imap.append("Foo", b"Subject: x\r\n\r\nx\r\n", "\\Seen", "02-Mar-2026 10:00:00 +0000")
            imap.append("Foo", b"Subject: y\r\n\r\ny\r\n", "", "02-Mar-2026 10:00:00 +0000")
        for command in (*COMMANDS, *(made_up(dice) for _ in range(300))):
            mine, other = (said(imap.do(command), command) for imap in (ours, theirs))
            if command.startswith("LIST (SUBSCRIBED RECURSIVEMATCH)"):
                mine, other = (without_status(answer) for answer in (mine, other))
            assert mine == other, command


def without_status(answer: tuple[bytes, set[bytes]]) -> tuple[bytes, set[bytes]]:
    """STATUS of a mailbox that is there for its inferiors only: told here, not by Dovecot (RFC 5819 §2)."""
    return answer[0], {line for line in answer[1] if not line.startswith(b"STATUS")}
