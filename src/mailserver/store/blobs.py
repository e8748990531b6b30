"""Blobs: bodies of bytes, each stored once, in a row or in a file.

A file is complete and on disk before its row is committed, and is removed after the removal of its row is: a crash
may leave a file without a row, never a row without its file.
"""

import hashlib
from array import array
from collections.abc import Sequence
from mmap import mmap
from pathlib import Path

import apsw

from mailserver.base.errors import Corrupt, Expunged, NotFound
from mailserver.base.ids import BlobId
from mailserver.base.log import Log
from mailserver.store.database import Database
from mailserver.store.files import Files
from mailserver.store.journal import Journal
from mailserver.store.spool import Body


class Prepared:
    """A body ready to be put: its bytes, or a file that is already in its place below blobs/.

    The maker calls `discard` when the job that should have put it failed; after a success that does nothing.
    """

    __slots__ = ("_file", "data", "path", "sha256", "size")

    def __init__(
        self, body: Body, data: bytes | mmap | None, path: str | None, file: Path | None
    ) -> None:
        self.sha256 = body.sha256
        self.size = body.size
        self.data = data
        self.path = path
        self._file = file

    def keep(self) -> None:
        """From now on the file is the store's."""
        self._file = None

    def discard(self) -> None:
        """Removes a file that no row refers to."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None


def prepare(files: Files, body: Body, threshold: int) -> Prepared:
    """*body* ready to be put; above *threshold* octets as a file, safe on disk.

    Blocks on the disk.
    """
    if body.size > threshold:
        path = files.take(body)
        return Prepared(body, None, path, files.folder / path)
    return Prepared(body, body.unlinked(), None, None)


class Blobs:
    """All blobs of all accounts.  What refers to a blob is a row with a foreign key: nothing is counted twice."""

    __slots__ = ("_db", "_folder", "_journal")

    def __init__(self, db: Database, journal: Journal, folder: Path) -> None:
        self._db = db
        self._journal = journal
        self._folder = folder

    def put(self, prepared: Prepared) -> BlobId:
        """The blob with these bytes, new or already there.

        It must be referred to before the job ends, or it is dropped again.
        """
        if self._db.insert(
            "INSERT INTO blob (sha256, size, path, data) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (sha256) DO NOTHING",
            (prepared.sha256, prepared.size, prepared.path, prepared.data),
        ):
            blob = BlobId(self._db.connection.last_insert_rowid())
            self._journal.fresh.add(blob)
            self._journal.sizes[blob] = prepared.size
            if prepared.path is not None:
                self._journal.prepared.append(prepared)
            return blob
        ((found, path),) = self._db.rows(
            "SELECT id, path FROM blob WHERE sha256 = ?", (prepared.sha256,)
        )
        self._journal.sizes[found] = prepared.size
        if path is not None and path != prepared.path and not self._is_whole(path, prepared.size):
            Log("store").error("a blob's file was lost, and came again", blob=found, path=path)
            self._db.run(
                "UPDATE blob SET path = ?, data = ? WHERE id = ?",
                (prepared.path, prepared.data, found),
            )
            path = prepared.path
        if prepared.path is not None:
            self._journal.prepared.append(prepared)
            if path != prepared.path:
                self._journal.unlink.append(self._folder / prepared.path)
        return BlobId(found)

    def is_file_of(self, sha256: bytes, path: str) -> bool:
        """Whether the blob of this hash is the file *path*."""
        rows = self._db.rows("SELECT path FROM blob WHERE sha256 = ?", (sha256,))
        return bool(rows) and rows[0][0] == path

    def sha256(self, blob: BlobId) -> bytes:
        """Of its octets; raises Expunged."""
        rows = self._db.rows("SELECT sha256 FROM blob WHERE id = ?", (blob,))
        if not rows:
            raise Expunged("The message is no longer there.")
        digest: bytes = rows[0][0]
        return digest

    def size(self, blob: BlobId) -> int:
        """Octets; raises NotFound."""
        rows = self._db.rows("SELECT size FROM blob WHERE id = ?", (blob,))
        if not rows:
            raise NotFound("No such blob.")
        size: int = rows[0][0]
        return size

    def read(self, blob: BlobId, offset: int = 0, length: int | None = None) -> bytes:
        """At most *length* octets from *offset*; all of them are checked against the hash when all are asked for.

        Raises Expunged if the blob is gone, Corrupt if its bytes are not what was stored.
        """
        if offset == 0 and length is None:
            return self._read_all(blob)
        rows = self._db.rows(
            "SELECT path, substr(data, ?, ?) FROM blob WHERE id = ?",
            (offset + 1, 0x7FFFFFFF if length is None else length, blob),
        )
        if not rows:
            raise Expunged("The message is no longer there.")
        ((path, data),) = rows
        return (data or b"") if path is None else self._read_file(path, offset, length)

    def _is_whole(self, path: str, size: int) -> bool:
        try:
            return (self._folder / path).stat().st_size == size
        except FileNotFoundError:
            return False

    def _read_all(self, blob: BlobId) -> bytes:
        rows = self._db.rows("SELECT sha256, path, data FROM blob WHERE id = ?", (blob,))
        if not rows:
            raise Expunged("The message is no longer there.")
        ((sha256, path, data),) = rows
        if path is not None:
            data = self._read_file(path, 0, None)
        if hashlib.sha256(data).digest() != sha256:
            raise Corrupt("The stored message is damaged.")
        return bytes(data)

    def _read_file(self, path: str, offset: int, length: int | None) -> bytes:
        try:
            with (self._folder / path).open("rb") as file:
                file.seek(offset)
                return file.read(-1 if length is None else length)
        except FileNotFoundError as error:
            # either removed after this transaction began, as files go once the removal of their row is committed
            Log("store").warning("a blob's file is not there", path=path)
            raise Expunged("The message is no longer there.") from error

    def release(self, blobs: Sequence[BlobId]) -> None:
        """Drops those of *blobs* that no row refers to any more; their files go after the commit."""
        if not blobs:
            return
        gone = self._db.rows(
            "DELETE FROM blob WHERE id IN carray(?)"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE blob_id = blob.id)"
            " AND NOT EXISTS (SELECT 1 FROM queued WHERE blob_id = blob.id) RETURNING path",
            (apsw.carray(array("q", blobs)),),
        )
        self._journal.unlink.extend(self._folder / path for (path,) in gone if path is not None)
