"""A message in a form that less able transports carry: parts are encoded again, and nothing else changes.

Spec: RFC 2045 §6; RFC 2046 §5.1.1, §5.2.2.1; RFC 1847 §2.1; RFC 3030 §3; RFC 6152 §3; RFC 6532 §3.7.  Status: complete.

`to_7bit` is for a next hop without 8BITMIME, `to_8bit` for what comes with BODY=BINARYMIME.  A part whose octets do not
fit gets base64, or quoted-printable where it is text and little of it is escaped; multiparts and embedded messages get
a label that fits what is inside.  The decoded content of every part stays as it was, octet for octet.
Not touched, and refused where they do not fit: what is signed (RFC 1847 §2.1), message/partial (RFC 2046 §5.2.2.1),
and parts whose encoding or structure we do not understand.  Header fields stay as they are: whether they need
SMTPUTF8 is `header_needs_utf8`'s to say.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mailserver.base.errors import Cannot
from mailserver.base.limits import MimeLimits
from mailserver.mime.decode import content
from mailserver.mime.encode import PLAIN, Base64, Encoder, QuotedPrintable
from mailserver.mime.entity import Entity
from mailserver.mime.headers import FIELD
from mailserver.mime.layout import Part
from mailserver.mime.parts import Raw, scan

DEFAULT = MimeLimits()
_PIECE = 262_144  # octets looked at in one go
_LINE = 1_000  # octets from one LF to the next that are too many: 998, and CR
_IDENTITIES = (b"7bit", b"8bit", b"binary")
_DECODABLE = (b"base64", b"quoted-printable", b"x-uuencode", b"uuencode", b"x-uue")
_EIGHT = bytes(range(128)) + b"?" * 128  # a table that leaves ASCII only
_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "base64": Base64,
    "quoted-printable": QuotedPrintable,
}


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A part's body that gets another encoding; is_last: the message ends with it."""

    part: Part
    encoding: str
    is_last: bool


@dataclass(slots=True)
class Conversion:
    """What has to be done; `pieces` does it, as often as it is asked to.

    estimate: octets that come out, about (RFC 1870 §6.3 asks for no more).
    """

    raw: Raw
    estimate: int = 0
    _steps: list[bytes | slice | _Encoded] = field(default_factory=list)

    def pieces(self) -> Iterator[bytes]:
        """The converted message; none of the pieces is large, and no more than a few are held."""
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, slice):
                for at in range(step.start, step.stop, _PIECE):
                    yield self.raw[at : min(at + _PIECE, step.stop)]
            else:
                yield from self._encoded(step)

    def _encoded(self, step: _Encoded) -> Iterator[bytes]:
        encode, last = _ENCODERS[step.encoding](), b""
        for piece in content(self.raw, step.part):
            said = encode(piece, False)
            last = said or last
            yield said
        said = encode(b"", True)
        yield said
        if step.is_last:
            if step.encoding == "base64":
                yield b"\r\n"
            elif not (said or last).endswith(b"\r\n"):
                yield b"=\r\n"  # a line end that is none of the content's

    def copy(self, start: int, end: int) -> None:
        """These octets as they are."""
        if start == end:
            return
        self.estimate += end - start
        last = self._steps[-1] if self._steps else None
        if isinstance(last, slice) and last.stop == start:
            start = last.start
            self._steps.pop()
        self._steps.append(slice(start, end))

    def say(self, octets: bytes) -> None:
        """Octets of ours."""
        self.estimate += len(octets)
        self._steps.append(octets)

    def encode(self, part: Part, encoding: str, estimate: int, *, is_last: bool) -> None:
        """The part's body in another encoding, of about *estimate* octets."""
        self.estimate += estimate
        self._steps.append(_Encoded(part, encoding, is_last))

    @property
    def changes(self) -> bool:
        """Whether what comes out is anything else than what came in."""
        return any(not isinstance(step, slice) for step in self._steps)


@dataclass(frozen=True, slots=True)
class _Aim:
    """fits: of octets from start to end, whether they may stay.  labels: encodings that say too much -> what to say."""

    fits: Callable[[Raw, int, int], bool]
    labels: dict[bytes, bytes]
    is_7bit: bool


def to_7bit(raw: Raw, limits: MimeLimits = DEFAULT) -> Conversion | None:
    """How *raw* becomes a message whose bodies are 7bit data; None if they are already.

    Raises Cannot, with a reason for the sender, where that is not possible.
    """
    if _is_7bit(raw, 0, len(raw)):
        return None
    return _convert(raw, limits, _Aim(_is_7bit, {b"8bit": b"7bit", b"binary": b"7bit"}, True))


def to_8bit(raw: Raw, limits: MimeLimits = DEFAULT) -> Conversion | None:
    """How *raw* becomes a message without binary data: no NUL, line ends are CRLF, no line too long (RFC 2045 §2.8).

    None if it is one already.  Raises Cannot, with a reason for the sender.
    """
    return _convert(raw, limits, _Aim(_is_8bit, {b"binary": b"8bit"}, False))


def header_needs_utf8(raw: Raw, limits: MimeLimits = DEFAULT) -> bool:
    """Whether a header field of the message or of a part of it is not ASCII (RFC 6531 §3.1 (6); RFC 6532 §3).

    Embedded messages are content: theirs do not count.
    """
    todo = [scan(raw, limits)]
    while todo:
        entity = todo.pop()
        if not _is_7bit(raw, entity.header_start, entity.body_start):
            return True
        todo.extend(entity.children)
    return False


def _convert(raw: Raw, limits: MimeLimits, aim: _Aim) -> Conversion | None:
    made = Conversion(raw)
    todo: list[Entity | slice] = [scan(raw, limits)]
    while todo:
        entity = todo.pop()
        if isinstance(entity, slice):
            _between(made, aim, entity)
            continue
        if not aim.is_7bit and not aim.fits(raw, entity.header_start, entity.body_start):
            raise Cannot("A header section has control characters or lines that are too long.")
        if entity.kind == b"multipart/signed" and entity.children:
            if not aim.fits(raw, entity.body_start, entity.end):
                raise Cannot("The message is signed and must not be changed.")
            _header(made, entity, aim.labels.get(entity.encoding().lower()))
            made.copy(entity.body_start, entity.end)
        elif entity.children:
            if aim.is_7bit and not (entity.boundary or b"").isascii():
                raise Cannot("A boundary is not ASCII.")
            _header(made, entity, aim.labels.get(entity.encoding().lower()))
            todo.extend(reversed(_inside(entity)))
        elif entity.message is not None and not _is_content(raw, entity, aim):
            _header(made, entity, aim.labels.get(entity.encoding().lower()))
            todo.append(slice(entity.message.end, entity.end))
            todo.append(entity.message)
        else:
            _leaf(made, entity, aim)
    return made if made.changes else None


def _inside(entity: Entity) -> list[Entity | slice]:
    """A multipart's parts, and what stands between them."""
    found: list[Entity | slice] = []
    at = entity.body_start
    for child in entity.children:
        found += [slice(at, child.header_start), child]
        at = child.end
    found.append(slice(at, entity.end))
    return found


def _between(made: Conversion, aim: _Aim, where: slice) -> None:
    """Boundary lines, and text around them that nobody is shown (RFC 2046 §5.1.1)."""
    if aim.fits(made.raw, where.start, where.stop):
        made.copy(where.start, where.stop)
    elif aim.is_7bit:
        for at in range(where.start, where.stop, _PIECE):
            made.say(made.raw[at : min(at + _PIECE, where.stop)].translate(_EIGHT))
    else:
        raise Cannot("Between parts there are control characters or lines that are too long.")


def _is_content(raw: Raw, entity: Entity, aim: _Aim) -> bool:
    """Whether an embedded message is encoded as a whole: message/global may be (RFC 6532 §3.7), message/rfc822 not."""
    if entity.kind != b"message/global" or not aim.is_7bit:
        return False
    return not aim.fits(raw, entity.body_start, entity.end)


def _leaf(made: Conversion, entity: Entity, aim: _Aim) -> None:
    encoding = entity.encoding().lower()
    if aim.fits(made.raw, entity.body_start, entity.end):
        _header(made, entity, aim.labels.get(encoding))
        made.copy(entity.body_start, entity.end)
        return
    _check(entity, encoding)
    known = encoding.decode() if encoding in _DECODABLE else ""
    part = Part("", "", entity.header_start, entity.body_start, entity.end, encoding=known)
    to, estimate = _choose(made.raw, part, is_text=entity.kind.startswith((b"text/", b"message/")))
    _header(made, entity, to.encode())
    made.encode(part, to, estimate, is_last=entity.end == len(made.raw))


def _check(entity: Entity, encoding: bytes) -> None:
    """Raises Cannot for a part that must not be encoded, or whose decoded content is not known."""
    declared = (entity.field(b"content-type") or b"").lower()
    if entity.kind == b"message/partial":
        raise Cannot("A piece of a message (message/partial) must not be encoded.")
    if declared.startswith(b"multipart/") or entity.header_start == entity.body_start > 0:
        raise Cannot("The structure of the message is not understood.")
    if encoding.startswith(b"x-") and encoding not in _DECODABLE:
        raise Cannot("A part has an unknown transfer encoding.")


def _choose(raw: Raw, part: Part, *, is_text: bool) -> tuple[str, int]:
    """The encoding that makes less of it, and about how much; base64 for all that is no text."""
    size = escapes = 0
    for piece in content(raw, part):
        size += len(piece)
        escapes += len(piece.translate(None, PLAIN))
    if is_text and escapes * 6 <= size:
        return "quoted-printable", size + escapes * 2 + size // 24  # and some soft line breaks
    return "base64", (size // 57 + 1) * 78


def _header(made: Conversion, entity: Entity, encoding: bytes | None) -> None:
    """The header section with another Content-Transfer-Encoding; None: as it is."""
    if encoding is None:
        made.copy(entity.header_start, entity.body_start)
        return
    block = made.raw[entity.header_start : entity.body_start]
    new = b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    lines: list[bytes] = []
    is_placed = has_version = False
    for m in FIELD.finditer(block):
        name = (m[1] or b"").lower()
        has_version = has_version or name == b"mime-version"
        if name != b"content-transfer-encoding":
            lines.append(m[0])
        elif not is_placed:
            lines.append(new)
            is_placed = True
    end = lines.pop() if lines and not lines[-1] else b""
    if lines and lines[-1] in (b"\r\n", b"\n"):
        end = lines.pop()
    if lines and not lines[-1].endswith(b"\n"):
        lines.append(b"\r\n")
    if not is_placed:
        lines.append(new)
    if entity.parent is None and not has_version:
        lines.append(b"MIME-Version: 1.0\r\n")
    made.say(b"".join(lines) + (end or b"\r\n"))


def _is_7bit(raw: Raw, start: int, end: int) -> bool:
    return all(raw[at : min(at + _PIECE, end)].isascii() for at in range(start, end, _PIECE))


def _is_8bit(raw: Raw, start: int, end: int) -> bool:
    """No NUL, no CR or LF alone, no line of more than 998 octets, from *start* to *end* (RFC 2045 §2.8)."""
    length, has_cr = 0, False  # of the line that goes on in the next piece
    for at in range(start, end, _PIECE):
        piece = raw[at : min(at + _PIECE, end)]
        ends = piece.count(b"\n")
        pairs = piece.count(b"\r\n") + (has_cr and piece[:1] == b"\n")
        if (
            b"\0" in piece
            or pairs != ends
            or piece.count(b"\r") + has_cr != pairs + (piece[-1:] == b"\r")
        ):
            return False
        has_cr = piece[-1:] == b"\r"
        lengths = [len(line) for line in piece.split(b"\n")]
        lengths[0] += length
        if max(lengths) >= _LINE:
            return False
        length = lengths[-1]
    return not has_cr and length < _LINE - 1
