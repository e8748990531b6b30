"""The last change to a message before it is kept: what we found goes on top, what pretends to be ours goes away.

Spec: RFC 8601 §4.1, §5; RFC 7208 §9.1.  Status: complete.
"""

import mmap
from collections.abc import Collection
from pathlib import Path

from mailserver.mailauth.results import without
from mailserver.store.spool import Body, Spool, body_of

PIECE = 1_048_576  #: octets of a large message that are moved together


def header_of(body: Body, start: int, most: int) -> tuple[bytes, int]:
    """The header section that begins at *start*, with its empty line, and where it ends.

    Of a larger one than *most* octets the beginning, one octet more, so that whoever looks at it sees that.
    """
    view = body.view()
    if view[start : start + 2] == b"\r\n":
        return b"\r\n", start + 2
    end = view.find(b"\r\n\r\n", start)
    end = body.size if end < 0 else end + 4
    return bytes(view[start : min(end, start + most + 1)]), end


def completed(
    body: Body, skip: int, start: int, fields: bytes, ours: Collection[str], most: int, folder: Path
) -> tuple[Body, int]:
    """*body* with *fields* behind its first *skip* octets, and how many forged results are gone from its header.

    start: where the content begins that the client sent.     most: octets of its header that are looked at.
    ours:  the names that only results of ours may bear.
    The body itself if there is nothing to change; otherwise it is given up for the new one.  Raises OSError.
    """
    header, _ = header_of(body, start, most)
    kept, forged = without(header, ours)
    if not fields and not forged:
        return body, 0
    view, rest = body.view(), start + len(header)
    head = b"".join((bytes(view[:skip]), fields, bytes(view[skip:start]), kept))
    if body.data is not None:
        return body_of(head + body.data[rest:]), forged
    try:
        return _filed(head, view, rest, folder), forged
    finally:
        body.discard()


def _filed(head: bytes, view: bytes | mmap.mmap, rest: int, folder: Path) -> Body:
    spool = Spool(folder, 0)
    try:
        spool.write(head)
        for at in range(rest, len(view), PIECE):
            spool.write(view[at : at + PIECE])
        return spool.finish()
    finally:
        spool.discard()
