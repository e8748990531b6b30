"""The folder of large bodies: how a file gets there so that a power cut cannot take it away again.

A file has a name of its own, `blobs/ab/<sha256>.<nonce>`, and only a row says which file is the blob.  So a removal
and a new delivery of the same bytes, in whatever process, never meet in one name.
"""

import os
import secrets
from pathlib import Path

from mailserver.store.spool import Body, write


class Files:
    """`blobs/`.  Any number of threads may use it at once."""

    __slots__ = ("_ready", "folder")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ready: set[str] = set()  # those below it that are known to be on disk

    def take(self, body: Body) -> str:
        """The path below `folder` where *body* now lies, safe on disk; its bytes can still be read through it.

        Its own temporary file is moved, so both must be on one file system.  Raises OSError and leaves nothing then.
        """
        name = body.sha256.hex()
        path = f"{name[:2]}/{name}.{secrets.token_hex(8)}"
        final = self.folder / path
        self._make(name[:2])
        source = (
            body.path or final
        )  # nobody knows its name before a row has it, so it may be written in its place
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if body.path is None else 0)
        handle = os.open(source, flags, 0o600)
        try:
            try:
                if body.data is not None:
                    write(handle, body.data)
                os.fsync(handle)
            finally:
                os.close(handle)
            if body.path is not None:
                body.view()  # opened before the file moves, so that the body stays readable
                source.rename(final)
                body.path = None
            _sync(final.parent)
        except BaseException:
            source.unlink(missing_ok=True)
            final.unlink(missing_ok=True)
            raise
        return path

    def _make(self, name: str) -> None:
        """Makes a folder for files, if need be; it is on disk itself before anything is put into it.

        That it is there is not enough: another process may have made it a moment ago.
        """
        if name not in self._ready:
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            _sync(self.folder)
            self._ready.add(name)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
