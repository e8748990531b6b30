r"""mbox: a file a mailbox, its messages one after the other, each behind a line that begins with "From ".

A line of a message that looks like that gets a ">", as does one that had some already (mboxrd), so nothing is lost.
What is written here has a line of its own on top of each message, and flags the way mutt and Dovecot keep them
(Status, X-Status, X-Keywords, X-UID); all of it is taken off again when it is read.

Spec: RFC 4155 §3, Appendix A (the default format).  Status: complete.
"""

import hashlib
import mmap
import os
import re
from calendar import timegm
from collections.abc import Iterable, Iterator
from email.utils import parsedate
from pathlib import Path
from time import asctime, gmtime
from typing import Final, NamedTuple

from mailserver.base.errors import Cannot
from mailserver.moving import manifest
from mailserver.moving.line_ends import Shape, with_crlf, with_lf
from mailserver.moving.mail import PIECE, Box, Mail, Unreadable
from mailserver.store import flags as bits
from mailserver.store.names import canonical

_FROM: Final = re.compile(rb"(?:\A[\r\n]*|(?<=\n\n)|(?<=\n\r\n))(From [^\n]{0,500}\n)")
_DATED: Final = re.compile(rb"\d:\d\d.*\d{4}")
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_TO_QUOTE: Final = re.compile(rb"^(>*From )", re.MULTILINE)
_OURS: Final = re.compile(
    rb"X-Mailserver-Message: size=(\d{1,15}); plain=([01])\nStatus: (R?)O\nX-Status: ([A-Z]*)\n"
    rb"X-Keywords: ([^\n]*)\nX-UID: (\d{1,10})\n"
)
_THEIRS: Final = re.compile(
    rb"^(?:Status|X-Status|X-Keywords|X-UID|X-IMAPbase|X-IMAP):[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.MULTILINE | re.IGNORECASE,
)
_FIELD: Final = rb"^%b:[ \t]*([^\r\n]*)"
_BASE: Final = re.compile(rb"(\d{1,10}) +(\d{1,10})")
_HEADER: Final = (
    65_536  #: octets at the beginning of a message in which other programs' fields are looked for
)
_STATUS: Final = {"A": bits.ANSWERED, "F": bits.FLAGGED, "T": bits.DRAFT, "D": bits.DELETED}
_INTERNAL: Final = b"FOLDER INTERNAL DATA"  # the message that UW-IMAP and Pine begin a mailbox with
_SUFFIXES: Final = (".mbox", ".mbx", ".sbd")


class _Span(NamedTuple):
    """A message in a file: its line "From ", and where its octets are."""

    line: bytes
    start: int
    end: int


class MboxSource:
    """One file, or all of a folder and the folders in it.  Raises Cannot where there is none.

    skipped: files that are no mbox.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.name = f"mbox:{self.root}"
        self.skipped: list[Path] = []
        found = manifest.read(self.root) if self.root.is_dir() else None
        if found is not None:
            self._boxes = [entry.box for entry in found.entries]
        else:
            self._boxes = sorted(self._look(), key=lambda box: box.name)
        if not self._boxes:
            raise Cannot(f'{root}: no file in it begins with "From "')

    def boxes(self) -> Iterable[Box]:
        """Superior ones first."""
        return self._boxes

    def mail(self, box: Box, done: set[int]) -> Iterator[Mail]:
        """In the order of the file.  A message that is in it twice comes twice."""
        file = self.root / box.folder if box.folder else self.root
        try:
            size = file.stat().st_size
            opened = file.open("rb")
        except OSError as error:
            raise Cannot(f"{file}: {error.strerror}") from error
        with opened:
            if not size:
                return
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as view:
                seen: dict[bytes, int] = {}
                for number, span in enumerate(_spans(view), 1):
                    digest = _digest(view, span)
                    seen[digest] = seen.get(digest, 0) + 1
                    key = hashlib.blake2b(digest + b"%d" % seen[digest], digest_size=8).digest()
                    mail = _mail(
                        view, span, int.from_bytes(key, "big") >> 1, f"{file}, message {number}"
                    )
                    if mail is not None and mail.key not in done:
                        yield mail

    def _look(self) -> Iterator[Box]:
        if self.root.is_file():
            yield self._box(self.root, [self.root.name], "")
            return
        for path, folders, files in os.walk(self.root):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for name in sorted(files):
                file = Path(path) / name
                if name.startswith(".") or name.endswith((".msf", ".json", ".dat", ".lock")):
                    continue
                if not _is_mbox(file):
                    self.skipped.append(file)
                    continue
                levels = list(file.relative_to(self.root).parts)
                if levels[-1] == "mbox" and len(levels) > 1:  # Apple's "Work.mbox/mbox"
                    levels.pop()
                yield self._box(file, levels, str(file.relative_to(self.root)))

    def _box(self, file: Path, levels: list[str], folder: str) -> Box:
        name = "/".join(_level(level) for level in levels)
        validity, last = _base(file)
        return Box(canonical(name), folder, validity, last + 1 if last else 0)


def _level(name: str) -> str:
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return os.fsencode(name).decode("utf-8", "replace") or "unnamed"


def _is_mbox(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            start = opened.read(64).lstrip(b"\r\n")[:5]
            return start == b"From " or (not start and file.suffix in _SUFFIXES)
    except OSError:
        return False


def _base(file: Path) -> tuple[int, int]:
    """(UIDVALIDITY, last UID) by the X-IMAPbase of the first message; zeros without."""
    try:
        with file.open("rb") as opened:
            value = _field(opened.read(_HEADER), b"X-IMAP(?:base)?")
    except OSError:
        return 0, 0
    m = _BASE.match(value)
    return (int(m[1]), int(m[2])) if m else (0, 0)


def _field(header: bytes, name: bytes) -> bytes:
    m = re.search(_FIELD % name, header.partition(b"\n\n")[0], re.MULTILINE | re.IGNORECASE)
    return m[1] if m else b""


def _spans(view: mmap.mmap) -> Iterator[_Span]:
    """The messages: a line "From " begins one at the top and behind an empty line, if it has a date."""
    last: tuple[bytes, int] | None = None
    for m in _FROM.finditer(view):
        if not _DATED.search(m[1]):
            continue
        if last is not None:
            yield _Span(*last, _without_empty_line(view, last[1], m.start(1)))
        last = m[1], m.end()
    if last is not None:
        end = len(view)
        if view[max(last[1] - 1, end - 3) : end].endswith((b"\n\n", b"\n\r\n")):
            end = _without_empty_line(view, last[1], end)
        yield _Span(*last, end)


def _without_empty_line(view: mmap.mmap, start: int, end: int) -> int:
    """*end* without the line end before it, which ends an empty line; not before *start*."""
    if view[end - 2 : end] == b"\r\n":
        end -= 1
    return max(end - 1, start)


def _digest(view: mmap.mmap, span: _Span) -> bytes:
    digest = hashlib.blake2b(span.line, digest_size=16)
    for at in range(span.start, span.end, PIECE):
        digest.update(view[at : min(at + PIECE, span.end)])
    return digest.digest()


def _mail(view: mmap.mmap, span: _Span, key: int, label: str) -> Mail | None:
    ours = _OURS.match(view, span.start, span.end)
    if ours is not None:
        start, size, is_plain = ours.end(), int(ours[1]), ours[2] == b"1"
        keywords, uid = ours[5], int(ours[6])

        def octets() -> Iterator[bytes]:
            pieces = _unquoted(view, start, span.end)
            return _exactly(size, with_crlf(pieces) if is_plain else pieces)

        value = _flags(ours[3], ours[4])
        words = tuple(keywords.decode("ascii", "replace").split())
        return Mail(key, label, value, words, _moment(span.line), uid, octets)
    header = view[span.start : min(span.end, span.start + _HEADER)].replace(b"\r\n", b"\n")
    if _INTERNAL in header[:2_000] and _field(header, b"X-IMAP"):
        return None
    has_crlf = view.find(b"\r\n", span.start, span.end) >= 0
    uid_text = _field(header, b"X-UID")

    def foreign() -> Iterator[bytes]:
        pieces = _without_fields(_unquoted(view, span.start, span.end))
        return _something(pieces if has_crlf else with_crlf(pieces))

    return Mail(
        key,
        label,
        _flags(_field(header, b"Status"), _field(header, b"X-Status")),
        tuple(_field(header, b"X-Keywords").decode("ascii", "replace").split()),
        _moment(span.line),
        int(uid_text) if re.fullmatch(rb"\d{1,10}", uid_text) else 0,
        foreign,
    )


def _flags(status: bytes, more: bytes) -> int:
    value = bits.SEEN if b"R" in status else 0
    for letter, bit in _STATUS.items():
        if letter.encode() in more:
            value |= bit
    return value


def _moment(line: bytes) -> int:
    """When the line "From " says the message came, in UTC; 0 where it cannot be read."""
    words = line.decode("ascii", "replace").split(None, 2)
    for text in words[2:], words[1:]:
        try:
            parsed = parsedate(" ".join(text))
            if parsed is not None:
                return max(timegm(parsed), 0)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return 0


def _unquoted(view: mmap.mmap, start: int, end: int) -> Iterator[bytes]:
    """Octets without one ">" of each quoted line, in pieces that begin and end with lines where these are not long."""
    at, at_line_start = start, True
    while at < end:
        stop = min(at + PIECE, end)
        if stop < end:
            cut = view.rfind(b"\n", at, stop) + 1
            stop = cut or stop
        piece = view[at:stop]
        if at_line_start:
            yield _QUOTED.sub(rb"\1", piece)
        else:
            head, feed, rest = piece.partition(b"\n")
            yield head + feed + _QUOTED.sub(rb"\1", rest)
        at_line_start = piece.endswith(b"\n")
        at = stop


def _without_fields(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """*pieces* without the fields in which other programs keep flags, as far as they stand in the first of them."""
    first = next(pieces, b"")
    m = re.search(rb"\n\r?\n", first)
    end = m.end() if m else len(first)
    yield _THEIRS.sub(b"", first[:end]) + first[end:]
    yield from pieces


def _exactly(size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The first *size* octets.  Raises Unreadable when there are fewer."""
    for piece in pieces:
        yield piece[:size]
        size -= len(piece[:size])
        if not size:
            return
    raise Unreadable("is cut short")


def _something(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces*; raises Unreadable when there is nothing in them."""
    is_empty = True
    for piece in pieces:
        is_empty = is_empty and not piece
        yield piece
    if is_empty:
        raise Unreadable("is empty")


# written


def file_name(name: str, taken: Iterable[str]) -> str:
    """`Work/Projects.mbox` for "Work/Projects"."""
    *above, last = (_safe(level) for level in name.split("/"))
    return (
        manifest.shortened("/".join([*above, last]), {t.removesuffix(".mbox") for t in taken})
        + ".mbox"
    )


def _safe(level: str) -> str:
    level = level.replace("%", "%25")
    if level.startswith("."):
        level = "%2E" + level[1:]
    if level.lower().endswith(".mbox"):
        level = level[:-5] + "%2E" + level[-4:]
    return level


class MboxFile:
    """A mailbox that is written: beside its place, and put there by `finish`."""

    def __init__(self, file: Path) -> None:
        """Raises OSError."""
        self._file = file
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._new = file.with_name(file.name + ".part")
        self._out = self._new.open("wb")

    def put(self, mail: Mail, shape: Shape) -> bool:
        """Writes *mail*; True.  Raises OSError."""
        out, plain = self._out, int(shape.is_plain)
        status = "RO" if mail.flags & bits.SEEN else "O"
        more = "".join(letter for letter, bit in _STATUS.items() if mail.flags & bit)
        out.write(
            f"From MAILER-DAEMON {asctime(gmtime(mail.internal_at))}\n"
            f"X-Mailserver-Message: size={shape.size}; plain={plain}\nStatus: {status}\nX-Status: {more}\n"
            f"X-Keywords: {' '.join(mail.keywords)}\nX-UID: {mail.uid}\n".encode()
        )
        pieces = mail.octets()
        last = b""
        for piece in quoted(with_lf(pieces) if shape.is_plain else pieces):
            out.write(piece)
            last = piece[-1:] or last
        out.write(b"\n" if last == b"\n" else b"\n\n")
        return True

    def finish(self, uidnext: int) -> None:
        """The mailbox is complete.  Raises OSError."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        self._new.replace(self._file)

    def close(self) -> None:
        """Forget what is not finished."""
        self._out.close()
        self._new.unlink(missing_ok=True)


def quoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces* with one ">" more before each line that begins with "From ", behind any number of ">"."""
    held = b""  # the beginning of a line whose end is not there yet
    at_line_start = True
    for piece in pieces:
        piece = held + piece
        cut = piece.rfind(b"\n") + 1
        if not cut and len(piece) < PIECE:
            held = piece
            continue
        cut = cut or len(piece)
        piece, held = piece[:cut], piece[cut:]
        yield _with_quotes(piece, at_line_start=at_line_start)
        at_line_start = piece.endswith(b"\n")
    if held:
        yield _with_quotes(held, at_line_start=at_line_start)


def _with_quotes(piece: bytes, *, at_line_start: bool) -> bytes:
    if at_line_start:
        return _TO_QUOTE.sub(rb">\1", piece)
    head, feed, rest = piece.partition(b"\n")
    return head + feed + _TO_QUOTE.sub(rb">\1", rest)
