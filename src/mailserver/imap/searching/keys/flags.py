r"""Keys that ask for flags and keywords: SEEN, UNSEEN, KEYWORD and their relatives, NEW.

Spec: RFC 3501 §2.3.2, §6.4.4.  Status: complete.
"""

from collections.abc import Callable
from dataclasses import replace

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.key import Key
from mailserver.imap.searching.keys.numbers import recent_of
from mailserver.store.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

_FLAGS = {
    "ANSWERED": ANSWERED,
    "DELETED": DELETED,
    "DRAFT": DRAFT,
    "FLAGGED": FLAGGED,
    "SEEN": SEEN,
}


def _flag(bit: int, *, is_set: bool) -> Callable[[], Key]:
    """The key of one system flag."""
    wanted = bit if is_set else 0
    return lambda: Key(by_flags=lambda flags, _: flags & bit == wanted)


for _name, _bit in _FLAGS.items():
    search_key(_name)(_flag(_bit, is_set=True))
    search_key(f"UN{_name}")(_flag(_bit, is_set=False))


@search_key("NEW")
def new() -> Key:
    r"""Messages with \Recent in this session and without \Seen (RFC 3501 §6.4.4, NEW)."""
    unseen = _flag(SEEN, is_set=False)()
    return replace(unseen, by_number=recent_of)


def _keyword(p: Parser) -> str:
    """SP flag-keyword (RFC 3501 §9): an atom, so never a system flag."""
    return p.sp().word()


@search_key("KEYWORD", parse=_keyword)
def keyword(name: str) -> Key:
    """Messages with this keyword (RFC 3501 §6.4.4, KEYWORD)."""
    return Key(by_flags=lambda _, keywords: _has(keywords, name))


@search_key("UNKEYWORD", parse=_keyword)
def unkeyword(name: str) -> Key:
    """Messages without this keyword (RFC 3501 §6.4.4, UNKEYWORD)."""
    return Key(by_flags=lambda _, keywords: not _has(keywords, name))


def _has(keywords: str, name: str) -> bool:
    """Whether *name*, in upper case, is among *keywords*."""
    return name in keywords.upper().split()
