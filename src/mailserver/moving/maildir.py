r"""Maildir++ as Dovecot and Courier keep it: a folder a mailbox, a file a message, flags in its name.

Read: INBOX at the top, the others beside it as `.Work.Projects` in modified UTF-7, or as folders inside each other;
UIDVALIDITY and UIDs from `dovecot-uidlist`, keywords from `dovecot-keywords`, the internal date is the file's own.
Written the same way, so that Dovecot takes the folder as it is.

Spec: RFC 3501 §5.1.3 (names).  Status: complete; files that are compressed are named and left out.
"""

import hashlib
import mmap
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from mailserver.base.errors import Cannot
from mailserver.imap import utf7
from mailserver.moving import manifest
from mailserver.moving.line_ends import Shape, with_crlf, with_lf
from mailserver.moving.mail import PIECE, Box, Mail, Unreadable
from mailserver.store import flags as bits
from mailserver.store.names import canonical

UIDLIST, KEYWORDS, SUBSCRIPTIONS = "dovecot-uidlist", "dovecot-keywords", "subscriptions"
#: keywords for which there is no letter: Dovecot keeps them in its index, we in this file
MORE_KEYWORDS = "mailserver-keywords"

_LETTERS: Final = {
    "D": bits.DRAFT,
    "F": bits.FLAGGED,
    "R": bits.ANSWERED,
    "S": bits.SEEN,
    "T": bits.DELETED,
}
_PASSED: Final = "$Forwarded"  # "P"
_INFO: Final = re.compile(r"[:;!]2,([A-Za-z]*)")
_SIZES: Final = re.compile(r",([SW])=(\d{1,15})")
_HEADER: Final = re.compile(r"[13] .*?V?(\d+)")
_LINE: Final = re.compile(r"(\d{1,10}) (?:[^:]*:)?(.+)")
_COMPRESSED: Final = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"LZIP",
)


class Uids(NamedTuple):
    """What `dovecot-uidlist` says.  by_name: UID by the name of the file without its flags."""

    uidvalidity: int
    uidnext: int
    by_name: dict[str, int]


class MaildirSource:
    """All mail below a folder.  Raises Cannot when there is none."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.name = f"maildir:{self.root}"
        self._subscribed = set(_lines(self.root / SUBSCRIPTIONS))
        found = manifest.read(self.root)
        if found is not None:
            self._boxes = [entry.box for entry in found.entries]
        else:
            self._boxes = sorted(self._look(), key=lambda box: box.name)
        if not self._boxes:
            raise Cannot(f"{root}: is no Maildir: neither it nor a folder in it has cur and new")

    def boxes(self) -> Iterable[Box]:
        """Superior ones first."""
        return self._boxes

    def mail(self, box: Box, done: set[int]) -> Iterator[Mail]:
        """Those with UIDs first, in their order, then the others by the names of their files."""
        folder = self.root / box.folder
        uids = read_uidlist(folder)
        words = read_keywords(folder)
        more = _more_keywords(folder)
        found: list[tuple[int, str, str]] = []  # UID, or one above all; base name; where it is
        for part in ("new", "cur"):
            try:
                names = [entry.name for entry in os.scandir(folder / part)]
            except FileNotFoundError:
                continue
            for name in names:
                if name.startswith("."):
                    continue
                base = _INFO.split(name, maxsplit=1)[0]
                if _key(base) not in done:
                    found.append((uids.by_name.get(base, 1 << 40), base, f"{part}/{name}"))
        found.sort()
        for uid, base, place in found:
            yield _mail(folder / place, base, 0 if uid == 1 << 40 else uid, words, more)

    def _look(self) -> Iterator[Box]:
        """Mailboxes of a Maildir++, or of folders inside each other."""
        if _is_maildir(self.root):
            yield self._box("INBOX", ".")
        for folder in sorted(self.root.iterdir()):
            if folder.name.startswith(".") and folder.is_dir() and _is_maildir(folder):
                yield self._box(_name(folder.name[1:].split(".")), folder.name)
        for path, folders, _ in os.walk(self.root):
            folders[:] = sorted(
                f for f in folders if not f.startswith(".") and f not in ("cur", "new", "tmp")
            )
            for name in folders:
                folder = Path(path) / name
                if _is_maildir(folder):
                    place = folder.relative_to(self.root)
                    yield self._box(_name(list(place.parts)), str(place))

    def _box(self, name: str, folder: str) -> Box:
        uids = read_uidlist(self.root / folder, names=False)
        name = canonical(name)
        is_subscribed = name in self._subscribed or name.replace("/", ".") in self._subscribed
        return Box(name, folder, uids.uidvalidity, uids.uidnext, None, is_subscribed)


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() or (folder / "new").is_dir()


def _name(levels: list[str]) -> str:
    return "/".join(filter(None, map(_level, levels))) or "unnamed"


def _level(level: str) -> str:
    try:
        return utf7.decode_tolerant(os.fsencode(level)).replace("/", "_")
    except ValueError:
        return os.fsencode(level).decode("latin-1").replace("/", "_")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def read_uidlist(folder: Path, *, names: bool = True) -> Uids:
    """What is known of the UIDs in *folder*, versions 1 and 3; nothing where there is no list or it makes no sense."""
    by_name: dict[str, int] = {}
    validity = uidnext = 0
    try:
        with (folder / UIDLIST).open(encoding="utf-8", errors="surrogateescape") as file:
            header = file.readline().split()
            if header[:1] == ["1"] and len(header) >= 3:
                validity, uidnext = int(header[1]), int(header[2])
            elif header[:1] == ["3"]:
                values = {word[:1]: word[1:] for word in header[1:]}
                validity, uidnext = int(values.get("V", 0)), int(values.get("N", 0))
            else:
                return Uids(0, 0, {})
            for line in file if names else ():
                m = _LINE.fullmatch(line.rstrip("\n"))
                if m is not None:
                    by_name[_INFO.split(m[2], maxsplit=1)[0]] = int(m[1])
    except (OSError, ValueError):
        return Uids(0, 0, {})
    return Uids(validity, uidnext, by_name)


def read_keywords(folder: Path) -> dict[str, str]:
    """Letter -> keyword."""
    found: dict[str, str] = {}
    for line in _lines(folder / KEYWORDS):
        number, _, word = line.partition(" ")
        if number.isdecimal() and int(number) < 26 and word:
            found[chr(ord("a") + int(number))] = word
    return found


def _more_keywords(folder: Path) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for line in _lines(folder / MORE_KEYWORDS):
        uid, _, words = line.partition(" ")
        if uid.isdecimal():
            found[int(uid)] = tuple(words.split())
    return found


def _key(base: str) -> int:
    digest = hashlib.blake2b(os.fsencode(base), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _mail(
    file: Path, base: str, uid: int, words: dict[str, str], more: dict[int, tuple[str, ...]]
) -> Mail:
    value, keywords = 0, list(more.get(uid, ()))
    info = _INFO.search(file.name)
    for letter in info[1] if info else "":
        value |= _LETTERS.get(letter, 0)
        if letter == "P":
            keywords.append(_PASSED)
        elif letter in words:
            keywords.append(words[letter])
    sizes = dict(_SIZES.findall(base))
    is_exact = "S" in sizes and sizes.get("W") == sizes["S"]
    try:
        internal_at = int(file.stat().st_mtime)
    except OSError:
        internal_at = 0

    def octets() -> Iterator[bytes]:
        return _octets(file, is_exact=is_exact)

    words_once = tuple(dict.fromkeys(keywords))
    return Mail(_key(base), str(file), value, words_once, internal_at, uid, octets)


def _octets(file: Path, *, is_exact: bool) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size == 0:
                raise Unreadable("is empty")
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as view:
                if view[:8].startswith(_COMPRESSED):
                    raise Unreadable("is compressed")
                pieces = (view[at : at + PIECE] for at in range(0, len(view), PIECE))
                yield from pieces if is_exact or view.find(b"\r\n") >= 0 else with_crlf(pieces)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


# written


def folder_name(name: str, taken: Iterable[str]) -> str:
    """`.Work.Projects` for "Work/Projects"; a dot inside a level is shifted, as it would part levels."""
    if name == "INBOX":
        return "."
    levels = (utf7.encode(level).decode("ascii").replace(".", "&AC4-") for level in name.split("/"))
    return manifest.shortened("." + ".".join(levels), taken)


class MaildirFolder:
    """A mailbox that is written.  What an earlier run has written stays; `finish` makes it complete."""

    def __init__(self, folder: Path, box: Box) -> None:
        """Raises OSError."""
        self._folder, self._box = folder, box
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        if box.folder != ".":
            (folder / "maildirfolder").touch()
        self._there = {
            _INFO.split(entry.name, maxsplit=1)[0]: entry.name
            for entry in os.scandir(folder / "cur")
        }
        self._uids: list[tuple[int, str]] = []
        self._letters: dict[str, str] = {}
        self._more: list[tuple[int, list[str]]] = []

    def put(self, mail: Mail, shape: Shape) -> bool:
        """Whether *mail* was written; if it was there already, only its flags are made right.  Raises OSError."""
        size = shape.size - shape.lines if shape.is_plain else shape.size
        base = f"{mail.internal_at}.U{mail.uid}V{self._box.uidvalidity}.mailserver,S={size},W={shape.size}"
        name = f"{base}:2,{self._flags(mail)}"
        self._uids.append((mail.uid, name))
        there = self._there.get(base)
        cur = self._folder / "cur"
        if there is not None:
            if there != name:
                (cur / there).rename(cur / name)
            return False
        new = self._folder / "tmp" / base
        with new.open("wb") as file:
            pieces = mail.octets()
            for piece in with_lf(pieces) if shape.is_plain else pieces:
                file.write(piece)
        os.utime(new, (mail.internal_at, mail.internal_at))
        new.rename(cur / name)
        return True

    def finish(self, uidnext: int) -> None:
        """Write the lists beside the messages.  Raises OSError."""
        box = self._box
        token = hashlib.sha256(f"{box.uidvalidity} {box.name}".encode()).hexdigest()[:32]
        head = f"3 V{box.uidvalidity} N{uidnext} G{token}"
        lines = (f"{uid} :{name}" for uid, name in self._uids)
        self._write(UIDLIST, [head, *lines])
        words = {letter: word for word, letter in self._letters.items()}
        self._write(KEYWORDS, [f"{ord(x) - ord('a')} {words[x]}" for x in sorted(words)])
        if self._more:
            self._write(MORE_KEYWORDS, [f"{uid} {' '.join(words)}" for uid, words in self._more])

    def _flags(self, mail: Mail) -> str:
        letters = [letter for letter, bit in _LETTERS.items() if mail.flags & bit]
        rest: list[str] = []
        for word in mail.keywords:
            if word == _PASSED:
                letters.append("P")  # Dovecot wants a letter of its own besides
            if word in self._letters:
                letters.append(self._letters[word])
            elif len(self._letters) < 26:
                self._letters[word] = chr(ord("a") + len(self._letters))
                letters.append(self._letters[word])
            else:
                rest.append(word)
        if rest:
            self._more.append((mail.uid, rest))
        return "".join(sorted(letters))

    def _write(self, name: str, lines: Iterable[str]) -> None:
        new = self._folder / (name + ".new")
        with new.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        new.replace(self._folder / name)
