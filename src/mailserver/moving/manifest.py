"""The note beside exported mail: which folder is which mailbox, with what neither Maildir nor mbox can say.

Status: complete.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from mailserver.base.errors import Cannot
from mailserver.moving.mail import Box

NAME = "mailserver.json"
_LONGEST = 200  #: octets of a name in a folder; most file systems take 255


class Entry(NamedTuple):
    """A mailbox, and where its mail is, below the folder of the note.  modseq: of the mailbox when it was written."""

    box: Box
    path: str
    modseq: int = 0


class Manifest(NamedTuple):
    """format: maildir or mbox."""

    format: str
    address: str
    entries: tuple[Entry, ...]


def write(folder: Path, manifest: Manifest) -> None:
    """Put the note into *folder*, in one step.  Raises OSError."""
    mailboxes: list[dict[str, object]] = []
    for box, path, modseq in manifest.entries:
        known = box._asdict()
        del known["folder"]
        mailboxes.append({**known, "path": path, "modseq": modseq})
    value = {"format": manifest.format, "address": manifest.address, "mailboxes": mailboxes}
    new = folder / (NAME + ".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / NAME)


def read(folder: Path) -> Manifest | None:
    """The note in *folder*, None where there is none.  Raises Cannot when it makes no sense."""
    try:
        value: Any = json.loads((folder / NAME).read_text("utf-8"))
        entries = tuple(_entry(mailbox) for mailbox in value["mailboxes"])
        return Manifest(str(value["format"]), str(value["address"]), entries)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Cannot(f"{folder / NAME}: cannot be read: {error}") from error


def _entry(value: Any) -> Entry:
    path = str(value["path"])
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(f"{path} leads out of the folder")
    use = value["special_use"]
    box = Box(
        str(value["name"]),
        path,
        int(value["uidvalidity"]),
        int(value["uidnext"]),
        None if use is None else str(use),
        bool(value["is_subscribed"]),
    )
    return Entry(box, path, int(value.get("modseq", 0)))


def shortened(name: str, taken: Iterable[str]) -> str:
    """*name* as it may stand in a folder that has the names *taken*: no longer than that allows, and another one."""
    octets = name.encode()
    if len(octets) <= _LONGEST and name not in taken:
        return name
    mark = hashlib.sha256(octets).hexdigest()[:16]
    return octets[: _LONGEST - 17].decode(errors="ignore") + "~" + mark
