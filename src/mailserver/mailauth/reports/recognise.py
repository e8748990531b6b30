"""The report in a message, whoever sent it: found by its form, not by its name.

Spec: RFC 9990 §3.5.2; RFC 8460 §5.3, §5.6; RFC 5965 §2; RFC 6522 §3.  Status: complete.

Media types and file names only say where to look first; what a part is, its content tells (RFC 8460 §5.6).
"""

from collections.abc import Iterator
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mailauth.reports import aggregate_reading, feedback, tls_json
from mailserver.mailauth.reports.feedback import Feedback
from mailserver.mailauth.reports.tls_values import TlsReport
from mailserver.mailauth.reports.unpack import unpack
from mailserver.mailauth.reports.values import Aggregate
from mailserver.mime.decode import Octets, content
from mailserver.mime.layout import Part

Report = Aggregate | TlsReport | Feedback

PARTS = 20  #: of one message that are looked at
_ENDINGS = (".xml", ".gz", ".zip", ".json")
_SUBTYPES = frozenset(
    [
        "gzip",
        "x-gzip",
        "zip",
        "x-zip-compressed",
        "xml",
        "json",
        "octet-stream",
        "tlsrpt+gzip",
        "tlsrpt+json",
        "x-compressed",
        "gzip-compressed",
    ]
)


class Bounds(NamedTuple):
    """Of one report.

    packed:   octets as they were attached; size: unpacked.
    records:  of an aggregate report.
    """

    packed: int = 10_485_760
    size: int = 16_777_216
    records: int = 20_000


def recognise(raw: Octets, root: Part, bounds: Bounds) -> Report | None:
    """The report in the message, None where there is none.

    Raises PeerError for something that looks like one and cannot be read, with the reason.
    """
    trouble: PeerError | None = None
    for part in _candidates(root):
        try:
            if part.type == "message":
                return feedback.read(_octets(raw, part, bounds.packed))
            return _read(_octets(raw, part, bounds.packed), bounds)
        except PeerError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return None


def _candidates(root: Part) -> Iterator[Part]:
    """Parts that may be a report; a message that is nothing but the report counts, too."""
    waiting, looked = [root], 0
    while waiting and looked < PARTS:
        part = waiting.pop()
        if part.type == "multipart":
            waiting += reversed(part.children[:PARTS])
            continue
        looked += 1
        is_named = part.filename.lower().endswith(_ENDINGS)
        is_typed = part.type in ("application", "text") and part.subtype in _SUBTYPES
        is_feedback = part.type == "message" and part.subtype == "feedback-report"
        if is_named or is_typed or is_feedback:
            yield part


def _octets(raw: Octets, part: Part, most: int) -> bytes:
    pieces, size = [], 0
    for piece in content(raw, part):
        size += len(piece)
        if size > most:
            raise PeerError("the attached report is too large")
        pieces.append(piece)
    return b"".join(pieces)


def _read(data: bytes, bounds: Bounds) -> Report:
    document = unpack(data, bounds.size)
    if document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return tls_json.read(document, tls_json.TlsBounds(min(bounds.size, tls_json.SIZE)))
    limits = aggregate_reading.Bounds(bounds.records, bounds.size)
    return aggregate_reading.read(document, limits)
