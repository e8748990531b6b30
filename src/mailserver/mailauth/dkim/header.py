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


class Header:
    """The fields of one message.

    fields: in their order; none when there is a fault.
    fault:  why the header cannot be cut into fields, or "".
    """

    def __init__(self, block: bytes, *, max_size: int = 1_048_576) -> None:
        """*block*: the header, with or without the empty line that ends it."""
        self.fields: list[Field] = []
        self.fault = ""
        self._by_name: dict[bytes, list[Field]] = {}
        if len(block) > max_size:
            self.fault = f"the header is larger than {max_size} octets"
            return
        lines = _LINE_END.split(block)
        while lines and not lines[-1]:
            lines.pop()
        rest = block.replace(b"\r\n", b"")
        if b"\r" in rest or b"\n" in rest:
            self.fault = _NO_FIELD
            return
        fields, by_name = self.fields, self._by_name
        for raw in lines:
            before, colon, body = raw.partition(b":")
            name = _known_name(before) if len(before) <= _LONGEST else _name(before)
            if not colon or not name:
                self.fault = _NO_FIELD
                self.fields, self._by_name = [], {}
                return
            field = Field(name, body, raw)
            fields.append(field)
            if name in by_name:
                by_name[name].append(field)
            else:
                by_name[name] = [field]

    def named(self, name: bytes) -> list[Field]:
        """The fields with *name* (lower case), the uppermost first."""
        return self._by_name.get(name, [])

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

    def chosen(self, names: Iterable[bytes], without: Field | None = None) -> list[Field]:
        """The fields that *names* (lower case) stand for: the lowest of a name first, none where there are no more.

        *without*: a signature, which never covers itself (RFC 6376 §3.5).
        """
        by_name = self._by_name
        if without is not None:
            rest = [field for field in by_name.get(without.name, ()) if field is not without]
            by_name = {**by_name, without.name: rest}
        left = {name: len(there) for name, there in by_name.items()}
        fields = []
        for name in names:
            n = left.get(name)
            if n:
                left[name] = n - 1
                fields.append(by_name[name][n - 1])
        return fields

    def signed_text(
        self, names: Iterable[bytes], form: Form, without: Field | None = None
    ) -> bytes:
        """What a signature over *names* covers of these fields (RFC 6376 §3.7, step 2.1)."""
        chosen = self.chosen(names, without)
        if form == "simple":
            return b"".join(field.raw + b"\r\n" for field in chosen)
        # the relaxed form of all of them in a few steps: only a folded line begins with a blank or tab
        lines = [b"%b:%b\r\n" % (field.name, field.body.lstrip(_WHITE)) for field in chosen]
        text = b"".join(lines).replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
        return squeeze(text).replace(b" \r\n", b"\r\n")
