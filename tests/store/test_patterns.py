"""Patterns with stars, compared here and by SQLite."""

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Cannot
from mailserver.store.patterns import SIZE, check, like, matches


@pytest.mark.parametrize(
    ("pattern", "text", "does"),
    [
        ("alice@example.org", "Alice@Example.org", True),
        ("alice@example.org", "malice@example.org", False),
        ("*@example.org", "alice@example.org", True),
        ("*@example.org", "alice@example.orgs", False),
        ("*", "", True),
        ("", "", True),
        ("", "x", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*.a*b*", "x.ab", True),
        ("a_c", "abc", False),
        ("100%*", "100x", False),
        ("a[b]", "ab", False),
    ],
)
def test_matches(pattern: str, text: str, does: bool) -> None:
    assert matches(pattern, text) is does


@given(st.text("aB*_%\\", max_size=6), st.text("AbBa_%\\", max_size=6))
def test_sqlite_means_the_same(pattern: str, text: str) -> None:
    db = apsw.Connection(":memory:")
    if pattern.count("*") <= 4:
        (row,) = db.execute("SELECT ? LIKE ? ESCAPE '\\'", (text, like(pattern)))
        assert bool(row[0]) is matches(pattern, text)


def test_impossible_patterns() -> None:
    for pattern in ("x" * (SIZE + 1), "*****"):
        with pytest.raises(Cannot):
            check(pattern)
        with pytest.raises(Cannot):
            like(pattern)
