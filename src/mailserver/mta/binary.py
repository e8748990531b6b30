"""A message that came as BINARYMIME in a form that everybody can read and pass on.

Spec: RFC 3030 §3; RFC 2045 §2.8.  Status: complete.

Its binary parts become base64 here, once: mailboxes and the queue hold lines only, and no next hop has to be asked
whether it takes binary content.
"""

from pathlib import Path

from mailserver.base.limits import MimeLimits
from mailserver.mime.downgrade import to_8bit
from mailserver.store.spool import Body, Spool


def in_lines(body: Body, folder: Path, memory: int, limits: MimeLimits) -> Body:
    """*body*, or its converted copy, for which it is given up; above *memory* octets that is a file in *folder*.

    Raises Cannot with the reason when it cannot be converted (what is signed must not be touched), OSError.
    """
    conversion = to_8bit(body.view(), limits)
    if conversion is None:
        return body
    spool = Spool(folder, memory)
    try:
        for piece in conversion.pieces():
            spool.write(piece)
        converted = spool.finish()
    except BaseException:
        spool.discard()
        raise
    body.discard()
    return converted
