"""A message on its way in: bytes in memory first, in a temporary file once they are many.

The hash is taken as the bytes come, so that nobody has to read a large message again to file it.
"""

import hashlib
import mmap
import os
import tempfile
from pathlib import Path


class Body:
    """A complete body that is not stored yet.

    data: the bytes, or None if they are in the file *path*.  The file is the body's own until `discard` removes it
    or the store takes it over.
    """

    __slots__ = ("_view", "data", "path", "sha256", "size")

    def __init__(
        self, size: int, sha256: bytes, *, data: bytes | None = None, path: Path | None = None
    ) -> None:
        self.size = size
        self.sha256 = sha256
        self.data = data
        self.path = path
        self._view: mmap.mmap | None = None

    def view(self) -> bytes | mmap.mmap:
        """The bytes, a file's through a map of it."""
        if self.data is not None:
            return self.data
        if self._view is None:
            if self.path is None:
                raise RuntimeError("the body is gone")
            with self.path.open("rb") as file:
                self._view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._view

    def unlinked(self) -> bytes | mmap.mmap:
        """The bytes; a file has no name any more, and is neither in memory nor lost while the body is there."""
        view = self.view()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None
        return view

    def discard(self) -> None:
        """Removes the file, if it is still this body's own; a view that somebody holds stays good."""
        self._view = None
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None


def body_of(data: bytes) -> Body:
    """A body of bytes that are all here."""
    return Body(len(data), hashlib.sha256(data).digest(), data=data)


class Spool:
    """Takes an incoming message piece by piece; above *memory* octets it goes on in a file in *folder*.

    Pieces of one octet take no more memory than large ones.
    """

    __slots__ = ("_file", "_folder", "_hash", "_held", "_memory", "_path", "size")

    def __init__(self, folder: Path, memory: int) -> None:
        self._folder = folder
        self._memory = memory
        self._held = bytearray()
        self._hash = hashlib.sha256()
        self._file: int | None = None
        self._path: Path | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Appends; raises OSError if the disk does."""
        self._hash.update(data)
        self.size += len(data)
        if self._file is not None:
            write(self._file, data)
            return
        self._held += data
        if self.size > self._memory:
            self._file, name = tempfile.mkstemp(prefix="in-", dir=self._folder)
            self._path = Path(name)
            write(self._file, self._held)
            self._held = bytearray()

    def finish(self) -> Body:
        """The complete body; the spool is spent."""
        if self._file is None:
            data = bytes(self._held)
            self._held = bytearray()
            return Body(self.size, self._hash.digest(), data=data)
        os.close(self._file)
        self._file = None
        path, self._path = self._path, None
        return Body(self.size, self._hash.digest(), path=path)

    def discard(self) -> None:
        """Forgets what came and removes the file; harmless after `finish`."""
        self._held = bytearray()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


def write(file: int, data: bytes | bytearray) -> None:
    """All of *data* to an open file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
