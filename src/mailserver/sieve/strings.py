"""Strings of a script: constants, or templates that take in variables when the script runs.

Spec: RFC 5228 §2.4.2.4 (encoded-character); RFC 5229 §3.  Status: complete.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from mailserver.sieve.run import Run

_HEX = r"[0-9A-Fa-f]"
_BLANK = r"[ \t\r\n]"
_ENCODED = re.compile(
    rf"\$\{{(?:(?P<hex>hex):{_BLANK}*(?P<octets>{_HEX}{{1,2}}(?:{_BLANK}+{_HEX}{{1,2}})*){_BLANK}*"
    rf"|(?P<unicode>unicode):{_BLANK}*(?P<points>{_HEX}{{1,40}}(?:{_BLANK}+{_HEX}{{1,40}})*){_BLANK}*)\}}",
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*|[0-9]+)\}"
)
#: characters that are put together for one step: what many strings take up together is bounded by it
CHEAP = 64
#: what may be a variable of `set` (RFC 5229 §3, variable-name without a namespace)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Template:
    """Constant pieces and, between each two of them, a variable: its name in lower case, or the number of a match."""

    pieces: tuple[str, ...]
    names: tuple[str | int, ...]

    def expand(self, run: "Run") -> str:
        """With the values that the variables have now; what is not set is empty (RFC 5229 §3).

        No more is put together than a variable may hold.  Raises RunError when the run has taken too many steps.
        """
        most, out = run.limits.variable_size, [self.pieces[0]]
        size = len(self.pieces[0])
        for name, piece in zip(self.names, self.pieces[1:], strict=True):
            if size >= most:
                break
            value = run.value(name)
            out += (value, piece)
            size += len(value) + len(piece)
        run.spend(1 + min(size, most) // CHEAP)
        return "".join(out)[:most]


Text: TypeAlias = str | Template


class UnknownNamespace(ValueError):
    """`${name.variable}` where nobody provides *name* (RFC 5229 §3)."""


class BadCharacter(ValueError):
    """`${unicode:...}` with a number that is no character."""


def read(value: str, *, encoded: bool, variables: bool) -> Text:
    """The string that *value* means where the script has required encoded-character, variables or both.

    Raises UnknownNamespace, BadCharacter.
    """
    if "${" not in value:
        return value
    if encoded:
        value = _ENCODED.sub(_decoded, value)
    if not variables:
        return value
    pieces: list[str] = []
    names: list[str | int] = []
    end = 0
    for m in _VARIABLE.finditer(value):
        name = m["name"].lower()
        if "." in name and not name.startswith("global."):
            raise UnknownNamespace(name.partition(".")[0])
        pieces.append(value[end : m.start()])
        names.append(int(name[-9:]) if name[0].isdigit() else name)
        end = m.end()
    if not names:
        return value
    return Template((*pieces, value[end:]), tuple(names))


def _decoded(m: re.Match[str]) -> str:
    if m["hex"]:
        octets = bytes(int(number, 16) for number in m["octets"].split())
        return octets.decode(errors="replace")
    out = []
    for number in m["points"].split():
        point = int(number, 16)
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise BadCharacter(f"{number} is no Unicode character")
        out.append(chr(point))
    return "".join(out)


class Texts:
    """A list of strings.  constant: its values where nothing in it is a variable, otherwise None."""

    __slots__ = ("_texts", "constant")

    def __init__(self, texts: tuple[Text, ...]) -> None:
        self._texts = texts
        values = tuple(text for text in texts if isinstance(text, str))
        self.constant = values if len(values) == len(texts) else None

    def get(self, run: "Run") -> tuple[str, ...]:
        """The strings as they are now."""
        if self.constant is not None:
            return self.constant
        return tuple(text if isinstance(text, str) else text.expand(run) for text in self._texts)


def value_of(text: Text, run: "Run") -> str:
    """*text* as it is now."""
    return text if isinstance(text, str) else text.expand(run)
