"""Keys that compare ids: EMAILID, THREADID.

Spec: RFC 8474 §6.  Status: complete.
"""

import re
from typing import Final

from mailserver.imap.fetching.items.objectid import EMAIL, THREAD
from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.key import Key

_OBJECTID: Final = re.compile(rb"[A-Za-z0-9_-]{1,255}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


def _objectid(p: Parser) -> str:
    """SP objectid (RFC 8474 §7)."""
    return p.sp().take(_OBJECTID, "objectid").decode("ascii")


@search_key("EMAILID", parse=_objectid)
def email_id(wanted: str) -> Key:
    """The message with this id; an id that we never gave finds nothing (RFC 8474 §6)."""
    return _equal("message", EMAIL, wanted)


@search_key("THREADID", parse=_objectid)
def thread_id(wanted: str) -> Key:
    """The messages of this thread (RFC 8474 §6)."""
    return _equal("thread", THREAD, wanted)


def _equal(column: str, letter: str, wanted: str) -> Key:
    number = wanted.removeprefix(letter)
    id_ = int(number) if number != wanted and _NUMBER.fullmatch(number) else 0
    return Key(columns=(column,), by_columns=lambda ids: [i == id_ for i in ids])
