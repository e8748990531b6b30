r"""What LIST shows of a tree of names (RFC 5258; RFC 9051 §6.3.9; RFC 6154)."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.ids import AccountId, MailboxId, ModSeq, Uid, UidValidity
from mailserver.directory.rights import ALL
from mailserver.imap.access import Visible
from mailserver.imap.listing import Entry, Listing, Selection, superiors
from mailserver.imap.patterns import matcher
from mailserver.store.values import Mailbox

ME, OTHER = AccountId(1), AccountId(2)


def box(name: str, special_use: str | None = None, account: AccountId = ME) -> Visible:
    first = MailboxId(1), account, name, special_use, True
    mailbox = Mailbox(*first, UidValidity(1), Uid(1), Uid(1), ModSeq(1), 0, 0, 0, 0)
    return Visible(name, mailbox, ALL)


def shown(entries: Iterator[Entry]) -> list[str]:
    return [entry.name + "+" * entry.child_info for entry in entries]


TREE = [box("Foo"), box("Foo/Bar"), box("Foo/Baz"), box("Moo", "\\Sent")]


@pytest.mark.rfc(5258, "3.5", "5")
@pytest.mark.parametrize(
    ("pattern", "selection", "names"),
    [
        # the table of RFC 5258 §3.5
        ("%", Selection(subscribed=True), ["Moo"]),
        ("%", Selection(subscribed=True, recursive=True), ["Foo+", "Gone+", "Moo"]),
        ("*", Selection(subscribed=True, recursive=True), ["Foo/Bar", "Gone/Too", "Moo"]),
        ("Foo", Selection(subscribed=True, recursive=True), ["Foo+"]),
        ("*", Selection(special_use=True), ["Moo"]),
        ("*", Selection(subscribed=True, special_use=True), ["Moo"]),
        ("%", Selection(subscribed=True, special_use=True, recursive=True), ["Moo"]),
        ("*", Selection(), ["Foo", "Foo/Bar", "Foo/Baz", "Moo"]),
    ],
)
def test_selection(pattern: str, selection: Selection, names: list[str]) -> None:
    listing = Listing(TREE, ["Foo/Bar", "Gone/Too", "Moo"], ME)
    assert shown(listing.select(matcher("", [pattern]), selection)) == names


@pytest.mark.rfc(5258, "5")
def test_example_nine() -> None:
    """CHILDINFO comes whether or not the inferiors match the pattern, and not where all of them are listed."""
    tree = "INBOX foo2 foo2/bar1 foo2/bar2 baz2 baz2/bar2 baz2/bar22 baz2/bar222 eps2 eps2/mamba qux2/bar2"
    subscriptions = "foo2/bar1 foo2/bar2 baz2/bar2 baz2/bar22 baz2/bar222 eps2 eps2/mamba qux2/bar2"
    listing = Listing([box(name) for name in tree.split()], subscriptions.split(), ME)
    entries = listing.select(matcher("", ["*2"]), Selection(subscribed=True, recursive=True))
    assert shown(entries) == [
        *("baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2+", "foo2+", "foo2/bar2", "qux2/bar2")
    ]


@pytest.mark.rfc(9051, "6.3.9")
def test_levels_that_are_no_mailboxes_are_shown_where_the_pattern_ends_in_percent() -> None:
    listing = Listing([box("INBOX"), box("Other Users/bob@example.test/Plans")], (), ME)

    def names(pattern: str, selection: Selection = Selection()) -> list[Entry]:  # noqa: B008  # a value
        matches = matcher("", [pattern])
        return list(listing.select(matches, selection, level=matches))

    (inbox, others) = names("%")
    assert inbox.name == "INBOX"
    assert (others.name, others.seen) == ("Other Users", None)
    assert others.attributes == ("\\NonExistent", "\\HasChildren")
    assert [entry.name for entry in names("Other Users/%")] == ["Other Users/bob@example.test"]
    assert names("Other%", Selection(special_use=True)) == []


@pytest.mark.rfc(6154, "2")
def test_special_uses_are_those_of_the_user_himself() -> None:
    listing = Listing([box("Sent", "\\Sent"), box("Bob's", "\\Sent", OTHER)], (), ME)
    assert listing.attributes("Sent") == ("\\HasNoChildren", "\\Sent")
    assert listing.attributes("Bob's") == ("\\HasNoChildren",)
    assert shown(listing.select(matcher("", ["*"]), Selection(special_use=True))) == ["Sent"]


NAMES = st.lists(st.text("ab/", min_size=1, max_size=5).filter(lambda n: all(n.split("/"))))


@given(NAMES, NAMES, st.booleans(), st.sampled_from(["*", "%", "a%", "a/%", "b*"]))
def test_recursive_match_tells_of_everything_subscribed(
    existing: list[str], subscriptions: list[str], recursive: bool, pattern: str
) -> None:
    """Principles of RFC 5258 §3.3: each name once, listed for itself or for an inferior that is not listed."""
    listing = Listing([box(name) for name in set(existing)], subscriptions, ME)
    matches = matcher("", [pattern])
    entries = list(listing.select(matches, Selection(subscribed=True, recursive=recursive)))
    names = [entry.name for entry in entries]
    assert names == sorted(set(names))
    assert all(matches(name) for name in names)
    assert {name for name in subscriptions if matches(name)} <= set(names)
    for entry in entries:
        below = [name for name in subscriptions if name.startswith(entry.name + "/")]
        assert entry.child_info == (recursive and bool(below))
        if entry.name not in subscriptions:
            assert any(not matches(name) for name in below)
        assert ("\\NonExistent" in entry.attributes) == (entry.name not in existing)
    if recursive:
        for name in superiors(n for n in subscriptions if not matches(n)):
            assert matches(name) == (name in names) or not matches(name)
