"""A stored body that is read as far as it is looked at.

Spec: none.  Status: complete.
"""

from typing import Final

from mailserver.base.ids import BlobId
from mailserver.store.tx import Read

#: bodies up to this size are read at once, longer ones range by range
WHOLE: Final = 262_144


class Octets:
    """The octets of a blob, for slicing.  *tx* is replaced when a search goes on in another transaction.

    whole: all of them, where they have been read already.      taken: octets read so far.
    """

    __slots__ = ("_blob", "_size", "_whole", "taken", "tx")

    def __init__(self, tx: Read, blob: BlobId, size: int, whole: bytes | None = None) -> None:
        self.tx, self._blob, self._size = tx, blob, size
        self._whole = whole
        self.taken = 0 if whole is None else len(whole)

    def __getitem__(self, where: slice) -> bytes:
        """Raises Expunged."""
        if self._whole is None:
            start, end, _ = where.indices(self._size)
            if self._size > WHOLE:
                self.taken += max(0, end - start)
                return self.tx.blobs.read(self._blob, start, end - start) if start < end else b""
            self._whole = self.tx.blobs.read(self._blob, 0, self._size)
            self.taken = self._size
        return self._whole[where]
