"""Patterns that administrators write for addresses and domains: `*` stands for anything, case means nothing."""

from mailserver.base.errors import Cannot

STARS = 4  #: in one pattern; every further one would multiply the time that comparing takes
SIZE = 320  #: characters of a pattern: no address is longer (RFC 5321 §4.5.3.1)


def check(pattern: str) -> str:
    """*pattern* in lower case; raises Cannot if it is too long or has too many stars."""
    if len(pattern) > SIZE or pattern.count("*") > STARS:
        raise Cannot(f"A pattern has at most {SIZE} characters and {STARS} of them are *.")
    return pattern.lower()


def matches(pattern: str, text: str) -> bool:
    """Whether *text* is what *pattern* describes; takes time in proportion to the text."""
    first, *others = pattern.lower().split("*")
    text = text.lower()
    if not others:
        return text == first
    *middle, last = others
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)


def like(pattern: str) -> str:
    r"""*pattern* for `LIKE ? ESCAPE '\'`, where it means the same, but for case outside ASCII.  Raises Cannot."""
    pattern = check(pattern)
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
