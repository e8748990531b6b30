"""Names of lists that are kept outside of scripts.

Spec: RFC 6134 §2.5, §2.6; RFC 3986 §3.1.  Status: complete.
"""

import re
from urllib.parse import unquote

from mailserver.sieve.arguments import Args
from mailserver.sieve.environment import ADDRESS_BOOK, BOOKS
from mailserver.sieve.strings import Text, Texts

URN = "urn:ietf:params:sieve:"

_URI = re.compile(
    r"(?:urn:|[a-z][a-z0-9+.-]{0,30}:)[^\x00-\x20\x7f\"<>\\^`{|}]{1,800}", re.IGNORECASE
)


def list_uri(name: str) -> str:
    """The absolute URI that *name* is or, with a colon in front, stands for; "" if it is none."""
    uri = f"{URN}{name[1:]}" if name.startswith(":") else name
    if not _URI.fullmatch(uri):
        return ""
    book = unquote(uri)
    if book.lower().startswith(BOOKS):
        return ADDRESS_BOOK if book.lower() == ADDRESS_BOOK else f"{BOOKS}{book[len(BOOKS) :]}"
    return unquote(uri) if uri.lower().startswith(("tag:", URN)) else uri


def list_names(args: Args, index: int) -> Texts:
    """The names of lists there.  Raises ScriptError for what is no URI."""
    _check(args, index)
    return args.texts(index)


def list_name(args: Args, index: int) -> Text:
    """The name of a list there.  Raises the same."""
    _check(args, index)
    return args.text(index)


def _check(args: Args, index: int) -> None:
    names = args.texts(index).constant
    if names is None:
        return
    for name, (_, at) in zip(names, args.constants(index), strict=True):
        if not list_uri(name):
            shown = f'"{name[:100]}" is no name of a list: it must be a URI like'
            raise args.error(f'{shown} "tag:mailserver,2026:friends" or ":addrbook:default"', at)
