"""The text of what is attached to a message: documents read one by one by the child process, within bounds."""

from collections.abc import Callable
from functools import partial
from typing import Final

from mailserver.base.errors import Corrupt, Expunged
from mailserver.base.ids import BlobId
from mailserver.base.limits import SearchLimits
from mailserver.base.log import Log
from mailserver.imap.searching.fold import fold
from mailserver.imap.searching.octets import Octets
from mailserver.imap.searching.texts import documents_of
from mailserver.jobs.reading import DocumentReader
from mailserver.mime.decode import content
from mailserver.mime.layout import Part
from mailserver.store.feeding import Unfed
from mailserver.store.store import Store
from mailserver.store.tx import Read

_LATELY: Final = 8  # messages whose attached text is remembered: many people get the same one

log = Log("search")


class Attached:
    """For one thread at a time; blocks, within bounds."""

    def __init__(
        self, store: Store, limits: SearchLimits, is_over: Callable[[], bool] = lambda: False
    ) -> None:
        self._store, self._limits, self._is_over = store, limits, is_over
        self._reader = DocumentReader(limits, is_over)
        self._lately: dict[BlobId, str] = {}

    def text(self, row: Unfed) -> str:
        """What is written in the documents attached to a message, folded, in one line; "" without any."""
        known = self._lately.get(row.blob)
        if known is not None:
            return known
        documents = documents_of(row.layout, self._limits.attachments)
        if not documents:
            return ""
        text = "\n".join([self._read(row, kind, part) for kind, part in documents])
        if not self._is_over():
            self._lately[row.blob] = text
            while len(self._lately) > _LATELY:
                del self._lately[next(iter(self._lately))]
        return text

    def close(self) -> None:
        """End the child process."""
        self._reader.close()

    def _read(self, row: Unfed, kind: str, part: Part) -> str:
        most = self._limits.attachment_size
        try:
            data = self._store.read_now(partial(_content, row, part, most))
        except (Expunged, Corrupt) as error:
            log.warning("an attachment is not indexed", message=row.message, reason=str(error))
            return ""
        if len(data) > most:
            reason = "it is larger than limits.search.attachment_size"
            log.info("an attachment is not indexed", message=row.message, kind=kind, reason=reason)
            return ""
        text, reason = self._reader.read(kind, data)
        if reason:
            log.info(
                "not all of an attachment is indexed",
                message=row.message,
                kind=kind,
                size=len(data),
                characters=len(text),
                reason=reason,
            )
        return fold(" ".join(text.replace("\0", " ").split()))


def _content(row: Unfed, part: Part, most: int, tx: Read) -> bytes:
    """The part's octets without transfer encoding; where they are more than *most*, some more than that."""
    if part.end - part.body_start > 2 * most + 1_000:
        return bytes(most + 1)
    pieces: list[bytes] = []
    size = 0
    for piece in content(Octets(tx, row.blob, row.size), part):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            break
    return b"".join(pieces)
