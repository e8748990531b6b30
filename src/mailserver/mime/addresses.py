"""Address lists: mailboxes, groups, and what senders write instead.

Spec: RFC 5322 §3.4, §4.4; RFC 7103 §7.1.  Status: complete.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

from mailserver.mime.patterns import many

#: stand-ins where an address lacks a half: IMAP's NIL would turn it into a group (RFC 3501 §7.4.2)
MISSING_MAILBOX = b"MISSING_MAILBOX"
MISSING_DOMAIN = b"MISSING_DOMAIN"

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_DOTTED = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]"
_LOCAL = rb"ATOM++" + many(rb"\.ATOM++")
_NEXT = re.compile(  # what nearly all writers write: Name <a@b>, "Name" <a@b>, <a@b> or a@b, up to the comma or end
    (
        rb"\s*+(?:"
        rb"(?>(?:(?:\"([^\"\\\x00-\x1f]*+)\"|(DOTTED++" + many(rb" DOTTED++") + rb"))\s*+)?)"
        rb"<(" + _LOCAL + rb")@([A-Za-z0-9.-]++)>"
        rb"|(" + _LOCAL + rb")@([A-Za-z0-9.-]++)"
        rb")\s*+(?:,|\Z)"
    )
    .replace(b"ATOM", _ATOM)
    .replace(b"DOTTED", _DOTTED)
)
_PLAIN_LEXEMES = (
    rb"([\s\x00]++)"
    rb"|(\[" + many(rb"[^\[\]\\\r\n\x00]++|\\[^\r\n\x00]") + rb"\])"
    rb"|([^\s\x00\",;:<>@(.)\\\[\]]++)"
    rb"|([,;<>])" + many(rb"\s*+\4")  # a run is as good as one
)
_LEXEME = re.compile(_PLAIN_LEXEMES + rb"|\"(" + many(rb"[^\"\\]++|\\.") + rb")\"|(.)", re.DOTALL)
_LEXEME_WITHOUT_QUOTES = re.compile(_PLAIN_LEXEMES + rb"|(\Z.)|(.)", re.DOTALL)
_PAREN = re.compile(rb"\\.|[()]", re.DOTALL)
_COMMENT_END = re.compile(rb"[<,;]")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_SPACE = re.compile(rb"\s+")
_LINE_BREAK = re.compile(rb"\r?\n|\r|\x00")
_TOKENS = 2_000  # of one address; what follows in it is dropped


class Address(NamedTuple):
    """One element of an address list as IMAP's ENVELOPE knows it (RFC 3501 §7.4.2).

    A mailbox has mailbox and domain; a half that is missing says so.  A group begins with domain None and its name in
    mailbox, and ends with both None.
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    domain: bytes | None


GROUP_END = Address(None, None, None, None)


class Budget:
    """What may still be spent on reading address fields: elements found, lexemes looked at on the way."""

    __slots__ = ("addresses", "lexemes")

    def __init__(self, addresses: int) -> None:
        self.addresses = addresses
        self.lexemes = 20 * addresses


def parse_addresses(value: bytes, budget: Budget) -> list[Address]:
    """The elements of the list in order, as far as *budget* reaches.

    Never fails; empty elements are left out (RFC 5322 §4.4), and a group is closed even when nothing is left.
    """
    found: list[Address] = []
    pos, size, limit = 0, len(value), budget.addresses
    while pos < size and len(found) < limit:
        m = _NEXT.match(value, pos)
        if m is None:
            _List(value, pos, budget, found).parse()
            break
        quoted, atoms, mailbox, domain, bare_mailbox, bare_domain = m.groups()
        if mailbox is not None:
            found.append(Address(quoted or atoms, None, mailbox, domain))
        else:
            found.append(Address(None, None, bare_mailbox, bare_domain))
        pos = m.end()
    budget.addresses -= len(found)
    return found


class _Kind(Enum):
    ATOM = auto()
    QUOTED = auto()
    SPECIAL = auto()  # one octet with a meaning, or a stray one


class _Token(NamedTuple):
    kind: _Kind
    text: bytes
    after_space: bool


_OPENING = _Token(_Kind.SPECIAL, b"<", False)


class _List:
    """One walk over a field: tokens are gathered up to the end of an element, then read as one address."""

    def __init__(self, value: bytes, pos: int, budget: Budget, found: list[Address]) -> None:
        self.value = value
        self.start = pos
        self.budget = budget
        self.limit = budget.addresses
        self.found = found
        self.in_group = False
        self.has_open_comment = False
        self.reset()

    def reset(self) -> None:
        self.tokens: list[_Token] = []
        self.comment: bytes | None = None  # the last one behind some token: "a@b (Name)"
        self.has_at = False
        self.in_angle = False
        self.in_route = False  # in "<@a,@b:" (RFC 5322 §4.4)

    def parse(self) -> None:
        pos, size, space = self.start, len(self.value), False
        lexeme = _LEXEME
        while pos < size and len(self.found) < self.limit and self.budget.lexemes > 0:
            self.budget.lexemes -= 1
            m = lexeme.match(self.value, pos)
            assert m is not None  # the last alternative takes any octet
            pos = m.end()
            white, literal, atom, separator, quoted, char = m.groups()
            if white is not None:
                space = True
                continue
            if atom is not None or literal is not None:
                self.add(_Kind.ATOM, atom or literal, space)
            elif quoted is not None:
                text = _LINE_BREAK.sub(b"", quoted)
                self.add(_Kind.QUOTED, _ESCAPE.sub(rb"\1", text), space)
            elif char == b'"':  # from here on no quotation mark is closed: RFC 7103 §7.1.6
                lexeme = _LEXEME_WITHOUT_QUOTES
            elif char == b"(":
                pos = self.read_comment(pos)
                space = True
                continue
            else:
                self.special(separator or char, space)
            space = False
        self.finish()
        if self.in_group:
            self.found.append(GROUP_END)

    def add(self, kind: _Kind, text: bytes, space: bool) -> None:
        if len(self.tokens) < _TOKENS:
            self.tokens.append(_Token(kind, text, space))

    def special(self, char: bytes, space: bool) -> None:
        if char == b"," and not self.in_route:
            self.finish()
        elif char == b";":
            self.finish()
            if self.in_group:
                self.found.append(GROUP_END)
                self.in_group = False
        elif char == b":" and not self.in_angle and not self.has_at:
            if self.tokens and not self.in_group:
                self.found.append(Address(None, None, _phrase(self.tokens), None))
                self.in_group = True
            self.reset()  # a group inside a group loses its name only
        else:
            if char == b"@":
                self.has_at = True
                self.in_route = self.in_angle and self.tokens[-1:] == [_OPENING]
            elif char == b":":
                self.in_route = False
            elif char == b"<":
                self.in_angle = True
                space = False
            elif char == b">":
                self.in_angle = False
            self.add(_Kind.SPECIAL, char, space)

    def read_comment(self, pos: int) -> int:
        """The position behind the comment that was just opened."""
        if not self.has_open_comment:
            start, depth = pos, 1
            while depth:
                m = _PAREN.search(self.value, pos)
                if m is None:
                    self.has_open_comment = True
                    pos = start
                    break
                pos = m.end()
                if m[0] == b"(":
                    depth += 1
                elif m[0] == b")":
                    depth -= 1
            else:
                if self.tokens:
                    text = _SPACE.sub(b" ", self.value[start : pos - 1]).strip()
                    self.comment = _ESCAPE.sub(rb"\1", text).replace(b"\0", b"") or None
                return pos
        m = _COMMENT_END.search(self.value, pos)  # RFC 7103 §7.1.4: it ends where an address begins
        return len(self.value) if m is None else m.start()

    def finish(self) -> None:
        """Read the gathered tokens as one address, or as several that lack their commas."""
        tokens = self.tokens
        while tokens and len(self.found) < self.limit:
            opening = _index(tokens, b"<", 0)
            if opening is None:
                self.bare(tokens)
                break
            start = opening + 1
            while start < len(tokens) and tokens[start].text == b"<":  # RFC 7103 §7.1.2
                start += 1
            closing = _index(tokens, b">", start)
            stop = len(tokens) if closing is None else closing
            self.angle(tokens[:opening], tokens[start:stop])
            tokens = tokens[stop + 1 :]
            if _index(tokens, b"@", 0) is None:
                break
        self.reset()

    def angle(self, before: list[_Token], inside: list[_Token]) -> None:
        route = None
        if inside and inside[0].text == b"@" and inside[0].kind is _Kind.SPECIAL:
            colon = _index(inside, b":", 0)
            if colon is not None:
                route = _tight(inside[:colon])
                inside = inside[colon + 1 :]
        name = _phrase(before)
        self.emit(name, route, inside)

    def bare(self, tokens: list[_Token]) -> None:
        """No angle brackets: every run around an "@" is an address, words before the first are its name."""
        tokens = [t for t in tokens if t.kind is not _Kind.SPECIAL or t.text in (b"@", b".")]
        runs: list[list[_Token]] = []
        joins = True
        for token in tokens:
            is_joint = token.kind is _Kind.SPECIAL
            if runs and (joins or is_joint or not token.after_space):
                runs[-1].append(token)
            else:
                runs.append([token])
            joins = is_joint  # white space beside "." and "@" is nothing (RFC 5322 §4.4)
        words: list[_Token] = []
        is_first = True
        for run in runs:
            if _index(run, b"@", 0) is None:
                words.extend(run)
            elif len(self.found) < self.limit:
                self.emit((_phrase(words) or self.comment) if is_first else None, None, run)
                is_first = False
        if is_first and words:
            if len(runs) == 1 and words[0].kind is _Kind.ATOM:  # "To: joe"
                self.found.append(Address(self.comment, None, _tight(words), MISSING_DOMAIN))
            else:
                self.found.append(Address(_phrase(words), None, MISSING_MAILBOX, MISSING_DOMAIN))

    def emit(self, name: bytes | None, route: bytes | None, spec: list[_Token]) -> None:
        at = None
        for i, token in enumerate(spec):
            if token.kind is _Kind.SPECIAL and token.text == b"@":
                at = i
        local = _tight(spec if at is None else spec[:at])
        domain = b"" if at is None else _tight(spec[at + 1 :])
        self.found.append(
            Address(name or None, route, local or MISSING_MAILBOX, domain or MISSING_DOMAIN)
        )


def _index(tokens: list[_Token], char: bytes, start: int) -> int | None:
    for i in range(start, len(tokens)):
        if tokens[i].text == char and tokens[i].kind is _Kind.SPECIAL:
            return i
    return None


def _tight(tokens: list[_Token]) -> bytes:
    return b"".join(t.text for t in tokens)


def _phrase(tokens: list[_Token]) -> bytes:
    """The words with one space where there was any white space or comment (RFC 5322 §3.2.2)."""
    return b"".join(b" " + t.text if t.after_space and i else t.text for i, t in enumerate(tokens))
