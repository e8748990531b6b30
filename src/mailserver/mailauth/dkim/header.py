"""Header fields as signatures see them: cut strictly, chosen from the bottom up, in one of two forms.

Spec: RFC 6376 §3.4.1, §3.4.2, §3.5 (h=), §5.4.2; RFC 5322 §2.2.  Status: complete.

A header that different programs cut in different ways is not cut at all: what one of them signs, another would not
show.  So a line that belongs to no field, and a CR or LF alone, are faults of the whole header (RFC 6376 §3.8).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

Form = Literal["simple", "relaxed"]

_LINE_END = re.compile(rb"\r\n(?![ \t])")
_NAME = re.compile(rb"[!-9;-~]+")
_REMEMBERED = 1_000  #: names
_LONGEST = 78  #: octets of those
#: names as nearly everybody writes them
_USUAL = {
    name: name.lower()
    for name in (
        b"Received", b"DKIM-Signature", b"From", b"To", b"Cc", b"Subject", b"Date", b"Message-ID",
        b"Message-Id", b"In-Reply-To", b"References", b"Reply-To", b"Sender", b"MIME-Version",
        b"Mime-Version", b"Content-Type", b"Content-Transfer-Encoding", b"User-Agent",
        b"List-Unsubscribe", b"List-Id", b"List-Unsubscribe-Post", b"Return-Path", b"Precedence",
        b"Authentication-Results", b"ARC-Seal", b"ARC-Message-Signature",
        b"ARC-Authentication-Results",
    )
}  # fmt: skip
_NO_FIELD = "the header has lines that belong to no field"
_WHITE = b" \t\r\n"
_TABS = bytes.maketrans(b"\t", b" ")


def squeeze(text: bytes) -> bytes:
    """*text* with every run of blanks and tabs as one blank."""
    if b"\t" in text:
        text = text.translate(_TABS)
    while b"  " in text:  # a run is halved each time
        text = text.replace(b"  ", b" ")
    return text


def relaxed(name: bytes, body: bytes) -> bytes:
    """A field in the relaxed form, without a line end; *body* is what stands behind the colon (RFC 6376 §3.4.2)."""
    return b"%b:%b" % (name.lower(), squeeze(body.replace(b"\r\n", b"")).strip(b" "))


def _name(before: bytes) -> bytes:
    """The field's name that *before* its colon stands, in lower case; b"" if it is none."""
    name = before.rstrip(b" \t").lower()
    return name if _NAME.fullmatch(name) else b""


_known_name = lru_cache(maxsize=_REMEMBERED)(_name)


def _name_of(before: bytes) -> bytes:
    return _known_name(before) if len(before) <= _LONGEST else _name(before)


class Field(NamedTuple):
    """One field.

    name: in lower case.
    body: behind the colon, without the line end.
    raw:  all of it, without the line end.
    """

    name: bytes
    body: bytes
    raw: bytes

    def canonical(self, form: Form) -> bytes:
        """The field in *form*, without a line end."""
        return self.raw if form == "simple" else relaxed(self.name, self.body)


def _field(name: bytes, raw: bytes) -> Field:
    return Field(name, raw.partition(b":")[2], raw)


class Header:
    """The fields of one message.

    fault:  why the header cannot be cut into fields, or ""; then there are none.
    """

    __slots__ = ("_by_name", "_lines", "fault")

    def __init__(self, block: bytes, *, max_size: int = 1_048_576) -> None:
        """*block*: the header, with or without the empty line that ends it."""
        self.fault = ""
        self._lines: list[bytes] = []
        self._by_name: dict[bytes, list[bytes]] = {}
        if len(block) > max_size:
            self.fault = f"the header is larger than {max_size} octets"
            return
        rest = block.replace(b"\r\n", b"")
        if b"\r" in rest or b"\n" in rest:
            self.fault = _NO_FIELD
            return
        lines = _LINE_END.split(block)
        while lines and not lines[-1]:
            lines.pop()
        by_name = self._by_name
        for raw in lines:
            before, colon, _ = raw.partition(b":")
            name = _USUAL.get(before) or _name_of(before)
            if not colon or not name:
                self.fault = _NO_FIELD
                self._by_name = {}
                return
            if name in by_name:
                by_name[name].append(raw)
            else:
                by_name[name] = [raw]
        self._lines = lines

    @property
    def fields(self) -> list[Field]:
        """All fields in their order; none when there is a fault."""
        return [_field(_name_of(raw.partition(b":")[0]), raw) for raw in self._lines]

    def named(self, name: bytes) -> list[Field]:
        """The fields with *name* (lower case), the uppermost first."""
        by_name = self._by_name
        return [_field(name, raw) for raw in by_name[name]] if name in by_name else []

    def lacks(self, names: Iterable[bytes]) -> bool:
        """Whether there is no field of any of these names (lower case)."""
        return self._by_name.keys().isdisjoint(names)

    def values(self, name: bytes) -> list[bytes]:
        """What stands behind the colons of these fields."""
        return [field.body for field in self.named(name)]

    def more_often(self, than: Iterable[tuple[bytes, int]]) -> bytes:
        """The first of these names that there are more fields of than its number; b"" if there is none."""
        by_name = self._by_name
        for name, count in than:
            if name in by_name and len(by_name[name]) > count:
                return name
        return b""

    def chosen(
        self, turns: Iterable[tuple[bytes, int]], without: Field | None = None
    ) -> list[tuple[bytes, bytes]]:
        """The fields that *turns* stand for, each with its name and all of it; none where there are no more.

        *without*: a signature, which never covers itself (RFC 6376 §3.5).
        """
        by_name = self._by_name
        if without is not None:
            rest = [raw for raw in by_name.get(without.name, ()) if raw is not without.raw]
            by_name = {**by_name, without.name: rest}
        return [
            (name, by_name[name][-turn])
            for name, turn in turns
            if name in by_name and len(by_name[name]) >= turn
        ]

    def signed_text(
        self, turns: Iterable[tuple[bytes, int]], form: Form, without: Field | None = None
    ) -> bytes:
        """What a signature covers of these fields (RFC 6376 §3.7, step 2.1); *turns* and *without* as in `chosen`."""
        chosen = self.chosen(turns, without)
        if form == "simple":
            return b"".join([raw + b"\r\n" for _, raw in chosen])
        # the relaxed form of all of them in a few steps: only a folded line begins with a blank or tab
        lines = [
            b"%b:%b\r\n" % (name, raw.partition(b":")[2].lstrip(_WHITE)) for name, raw in chosen
        ]
        text = b"".join(lines).replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
        return squeeze(text).replace(b" \r\n", b"\r\n")


def in_turns(names: Iterable[bytes]) -> tuple[tuple[bytes, int], ...]:
    """Which fields *names* (lower case) stand for: of those of a name the lowest first, then the one above it.

    Each name with its turn, from 1 on.
    """
    seen: dict[bytes, int] = {}
    turns = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        turns.append((name, seen[name]))
    return tuple(turns)
