"""Mailbox patterns and what LIST makes of them (RFC 3501 §6.3.8, RFC 5258)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.ids import AccountId, MailboxId, ModSeq, Uid, UidValidity
from mailserver.directory.rights import ALL
from mailserver.imap import listing
from mailserver.imap.access import Visible
from mailserver.imap.listing import Selection
from mailserver.imap.patterns import matcher
from mailserver.store.values import Mailbox


@pytest.mark.rfc(3501, "6.3.8")
@pytest.mark.parametrize(
    ("reference", "pattern", "matching", "others"),
    [
        ("", "*", ["a", "a/b", "INBOX"], []),
        ("", "%", ["a", "INBOX"], ["a/b"]),
        ("", "a/%", ["a/b", "a/c"], ["a", "a/b/c", "b/c"]),
        ("a/", "%", ["a/b"], ["a", "a/b/c"]),
        ("", "%/%", ["a/b"], ["a", "a/b/c"]),
        ("", "*c", ["c", "abc", "a/b/c"], ["cd"]),
        ("", "inbox", ["INBOX"], ["Inbox2"]),
        ("", "inbox/*", ["INBOX/a", "INBOX/a/b"], ["INBOX"]),
        ("", "a.b", ["a.b"], ["axb"]),
        ("", "a[b]", ["a[b]"], ["ab"]),
        ("", "%*%", ["a", "a/b"], []),
        ("", "", [], ["", "a"]),
    ],
)
def test_matches(reference: str, pattern: str, matching: list[str], others: list[str]) -> None:
    matches = matcher(reference, [pattern])
    assert [name for name in matching + others if matches(name)] == matching


def naive(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(naive(pattern[1:], name[n:]) for n in range(len(name) + 1))
    if pattern[0] == "%":
        level = len(name.partition("/")[0])
        return any(naive(pattern[1:], name[n:]) for n in range(level + 1))
    return name[:1] == pattern[0] and naive(pattern[1:], name[1:])


@given(st.text("ab/%*.", min_size=1, max_size=9), st.text("ab/.", max_size=9))
def test_fast_and_slow_agree(pattern: str, name: str) -> None:
    assert matcher("", [pattern])(name) == naive(pattern, name)


def test_no_pattern_takes_long() -> None:
    matches = matcher("", ["*a" * 300 + "b", "%a%" * 200, "*" * 500])
    started = time.process_time()
    assert sum(matches("a" * 900) for _ in range(50)) == 50
    hard = matcher("", ["*a" * 300 + "b"])
    assert not any(hard("a" * 900) for _ in range(50))
    assert time.process_time() - started < 5


def box(name: str, special_use: str | None = None) -> Mailbox:
    return Mailbox(
        MailboxId(1),
        AccountId(1),
        name,
        special_use,
        True,
        UidValidity(1),
        Uid(1),
        Uid(1),
        ModSeq(1),
        0,
        0,
        0,
        0,
    )


TREE = [
    Visible(mailbox.name, mailbox, ALL)
    for mailbox in (box("Foo"), box("Foo/Bar"), box("Foo/Baz"), box("Moo", "\\Sent"))
]


@pytest.mark.rfc(5258, "3.5", "5")
@pytest.mark.parametrize(
    ("pattern", "selection", "shown"),
    [
        # the table of RFC 5258 §3.5
        ("%", Selection(subscribed=True), ["Moo"]),
        ("%", Selection(subscribed=True, recursive=True), ["Foo+", "Gone+", "Moo"]),
        ("*", Selection(subscribed=True, recursive=True), ["Foo/Bar", "Gone/Too", "Moo"]),
        ("Foo", Selection(subscribed=True, recursive=True), ["Foo+"]),
        ("*", Selection(special_use=True), ["Moo"]),
        ("*", Selection(subscribed=True, special_use=True), ["Moo"]),
        ("*", Selection(), ["Foo", "Foo/Bar", "Foo/Baz", "Moo"]),
    ],
)
def test_selection(pattern: str, selection: Selection, shown: list[str]) -> None:
    subscriptions = ["Foo/Bar", "Gone/Too", "Moo"]
    entries = listing.select(
        TREE, subscriptions, matcher("", [pattern]), selection, tell_subscribed=True
    )
    assert [entry.name + "+" * entry.child_info for entry in entries] == shown
