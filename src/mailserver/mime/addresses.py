"""Address lists: mailboxes, groups, and what senders write instead.

Spec: RFC 5322 §3.4, §4.4; RFC 7103 §7.1.  Status: complete.
"""

import re
from typing import NamedTuple

_COMMENT_DEPTH = 50
_SIMPLE = re.compile(
    rb"""\s*(?:("?)([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:[ ][A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)\1\s*)?"""
    rb"""<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+)@([A-Za-z0-9.-]+)>\s*"""
)
_PLAIN = re.compile(rb"\s*([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+)@([A-Za-z0-9.-]+)\s*")
_LEXEME = re.compile(
    rb"""([\s\0]+)|"((?:[^"\\]|\\.)*+)"?|(\[(?:[^\[\]\\]|\\.)*+\]?)|([,;:<>@(.)\\\]])|([^\s\0",;:<>@(.)\\\[\]]+)""",
    re.DOTALL,
)
_PAREN = re.compile(rb"\\.|[()]", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_SPACE = re.compile(rb"\s+")


class Address(NamedTuple):
    """One element of an address list as IMAP's ENVELOPE knows it (RFC 3501 §7.4.2).

    A mailbox has domain and mailbox.  A group begins with domain None and its name in mailbox, and ends with both None.
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    domain: bytes | None


GROUP_END = Address(None, None, None, None)


def parse_addresses(value: bytes, limit: int) -> list[Address]:
    """At most *limit* elements of the list in order.  Never fails; what is no address at all is left out."""
    m = _SIMPLE.fullmatch(value)
    if m is not None:
        return [Address(m[2], None, m[3], m[4])]
    m = _PLAIN.fullmatch(value)
    if m is not None:
        return [Address(None, None, m[1], m[2])]
    return _Parser(value, limit).parse()


class _Parser:
    """One walk over the lexemes; `words` collects what may become a display name, a local part or a group's name."""

    def __init__(self, value: bytes, limit: int) -> None:
        self.value = value
        self.limit = limit
        self.found: list[Address] = []
        self.in_group = False
        self.reset()

    def reset(self) -> None:
        self.words: list[bytes] = []  # words of a phrase
        self.local: list[bytes] = []  # the same lexemes, joined tightly
        self.domain: list[bytes] | None = None  # after "@"
        self.name: bytes | None = None  # before "<"
        self.route: bytes | None = None
        self.comment: bytes | None = None
        self.in_angle = False
        self.glue = False

    def parse(self) -> list[Address]:
        value, pos, size = self.value, 0, len(self.value)
        while pos < size and len(self.found) < self.limit:
            m = _LEXEME.match(value, pos)
            if m is None:
                pos += 1
                continue
            pos = m.end()
            space, quoted, literal, special, atom = m.groups()
            if atom is not None:
                self.word(atom, atom)
            elif space is not None:
                self.glue = False
            elif quoted is not None:
                text = _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted
                text = text.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
                self.word(text, text)
            elif literal is not None:
                self.word(literal, literal)
            elif special == b"(":
                pos = self.skip_comment(pos)
            else:
                self.special(special)
        self.finish()
        if self.in_group and len(self.found) < self.limit:
            self.found.append(GROUP_END)
        return self.found

    def word(self, text: bytes, tight: bytes) -> None:
        if self.domain is not None:
            self.domain.append(tight)
            return
        self.local.append(tight)
        if self.glue and self.words:
            self.words[-1] += text
        else:
            self.words.append(text)
        self.glue = True

    def special(self, char: bytes) -> None:
        if char == b",":
            if self.in_angle and self.route is None and self.domain is not None and not self.local:
                self.domain.append(b",")  # a route's comma
            else:
                self.finish()
        elif char == b";":
            self.finish()
            if self.in_group:
                self.found.append(GROUP_END)
                self.in_group = False
        elif char == b":":
            self.colon()
        elif char == b"<":
            if not self.in_angle:
                if self.domain is not None:  # a@b <c@d>: what stood before is a name after all
                    self.words = [b"".join(self.local) + b"@" + b"".join(self.domain)]
                    self.domain = None
                self.name = b" ".join(self.words) if self.words else None
                self.words, self.local, self.in_angle = [], [], True
        elif char == b">":
            if self.in_angle:
                self.in_angle = False
                self.close_angle()
        elif char == b"@":
            if self.domain is None:
                self.domain = []
            else:
                self.domain.append(b"@")
        else:
            self.word(char, char)

    def colon(self) -> None:
        if self.in_angle:
            if self.domain is not None and not self.local:
                self.route = b"@" + b"".join(self.domain)
                self.domain = None
        elif self.domain is None and not self.in_group and self.words:
            self.found.append(Address(None, None, b" ".join(self.words), None))
            self.reset()
            self.in_group = True

    def close_angle(self) -> None:
        if self.local or self.domain:
            self.emit()

    def finish(self) -> None:
        if self.in_angle or self.domain is not None or self.words:
            self.emit()
        self.reset()

    def emit(self) -> None:
        mailbox = b"".join(self.local)
        domain = b"".join(self.domain or [])
        if mailbox or domain:
            name = self.name if self.name is not None else self.comment
            self.found.append(Address(name, self.route, mailbox, domain))
        self.reset()

    def skip_comment(self, pos: int) -> int:
        """The position after the comment that was just opened; its text may serve as the name: a@b (Name)."""
        start, depth = pos, 1
        while depth:
            m = _PAREN.search(self.value, pos)
            if m is None:
                return len(self.value)
            pos = m.end()
            depth += {b"(": 1, b")": -1}.get(m[0], 0)
            if depth > _COMMENT_DEPTH:
                return len(self.value)
        text = _SPACE.sub(b" ", self.value[start : pos - 1]).strip()
        self.comment = _ESCAPE.sub(rb"\1", text)
        self.glue = False
        return pos
