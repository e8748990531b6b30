"""Mailbox patterns (RFC 3501 §6.3.8)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.imap.patterns import matcher


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
        ("", "inbox*", ["INBOX", "INBOX/a", "inbox2"], ["INBOX2"]),
        ("", "in%", ["INBOX", "inner"], ["INBOX/a", "INNER"]),
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


@pytest.mark.rfc(9051, "5.1")
@pytest.mark.parametrize("more", ["", "%%a" * 9])
@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*x", ["INBOX", "INBOX/x", "x"], ["INBOX/X", "X", "INBOXX"]),
        ("%nb%", ["INBOX", "anb"], ["aNB", "INBOX/nb"]),
        ("iNbOx/a", ["INBOX/a"], ["INBOX/A", "inbox/a"]),
        (
            "*\N{LATIN SMALL LETTER DOTLESS I}nbox",
            ["\N{LATIN SMALL LETTER DOTLESS I}nbox"],
            ["INBOX"],
        ),
    ],
)
def test_inbox_in_any_case(pattern: str, matching: list[str], others: list[str], more: str) -> None:
    """Its letters only: the rest of a name is what it is, however many wildcards a pattern has."""
    matches = matcher("", [pattern, more + "b" + "%" * 9])
    assert [name for name in matching + others if matches(name)] == matching


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
