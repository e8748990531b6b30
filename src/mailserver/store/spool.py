"""A message on its way in: bytes in memory first, in a temporary file once they are many.

The hash of what is in memory is taken by whoever files it.  That of a file is taken as its bytes come, so that nobody
has to read it again; unless it is known that other bytes will be filed.
"""

import hashlib
import mmap
import os
import tempfile
from io import BytesIO
from pathlib import Path


class Body:
    """A complete body that is not stored yet.

    data: the bytes, or None if they are in the file *path*.  The file is the body's own until `discard` removes it
    or the store takes it over.
    """

    __slots__ = ("_sha256", "_view", "data", "path", "size")

    def __init__(
        self,
        size: int,
        sha256: bytes | None = None,
        *,
        data: bytes | None = None,
        path: Path | None = None,
    ) -> None:
        """sha256: None where nobody has taken it yet."""
        self.size = size
        self._sha256 = sha256
        self.data = data
        self.path = path
        self._view: mmap.mmap | None = None

    @property
    def sha256(self) -> bytes:
        """Taken when it is asked for first, which lasts a millisecond for two megabytes."""
        if self._sha256 is None:
            self._sha256 = hashlib.sha256(self.view()).digest()
        return self._sha256

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
    return Body(len(data), data=data)


class Spool:
    """Takes an incoming message piece by piece; above *memory* octets it goes on in a file in *folder*.

    Pieces of one octet take no more memory than large ones.
    memory:  may be raised until that has happened.
    changes: the body will give way to another one, so nobody asks for its hash.
    """

    __slots__ = ("_changes", "_file", "_folder", "_hash", "_held", "_path", "memory", "size")

    def __init__(self, folder: Path, memory: int, *, changes: bool = False) -> None:
        self._folder = folder
        self._changes = changes
        self.memory = memory
        self._held = BytesIO()
        self._hash: hashlib._Hash | None = None  # of a file
        self._file: int | None = None
        self._path: Path | None = None
        self.size = 0

    @property
    def is_file(self) -> bool:
        """It goes on in a file."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """Appends; raises OSError if the disk does."""
        self.size += len(data)
        if self._file is not None:
            self._put(self._file, data)
            return
        self._held.write(data)
        if self.size > self.memory:
            self._file, name = tempfile.mkstemp(prefix="in-", dir=self._folder)
            self._path = Path(name)
            self._hash = None if self._changes else hashlib.sha256()
            held, self._held = self._held, BytesIO()
            self._put(self._file, held.getvalue())

    def _put(self, file: int, data: bytes) -> None:
        if self._hash is not None:
            self._hash.update(data)
        write(file, data)

    def finish(self) -> Body:
        """The complete body; the spool is spent."""
        if self._file is None:
            return Body(self.size, data=self._held.getvalue())
        os.close(self._file)
        self._file = None
        path, self._path = self._path, None
        sha256 = self._hash.digest() if self._hash is not None else None
        return Body(self.size, sha256, path=path)

    def discard(self) -> None:
        """Forgets what came and removes the file; harmless after `finish`."""
        self._held = BytesIO()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


def write(file: int, data: bytes) -> None:
    """All of *data* to an open file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
