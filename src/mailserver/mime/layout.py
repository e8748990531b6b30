"""The part tree of a message as byte offsets, and the way from an IMAP part number to a part.

Spec: RFC 3501 §6.4.5; RFC 9051 §6.4.5.1.  Status: complete.
"""

import json
from typing import NamedTuple


class Part(NamedTuple):
    """One entity: a message, an embedded message's root, or a body part.  Offsets count from the message's start.

    The header is raw[header_start:body_start] with its empty line, the body raw[body_start:end].
    type, subtype: lower case; "text" "plain" where the field is missing or broken (RFC 2045 §5.2).
    lines:         LFs in the body of a text part or message/rfc822; 0 for others.
    encoding:      Content-Transfer-Encoding in lower case, "7bit" if there is none.
    charset:       as the message names it, lower case; "" if it does not.
    disposition:   "attachment", "inline", ... in lower case; "" if there is none.
    filename:      decoded, from Content-Disposition or Content-Type; "" if there is none.
    children:      parts of a multipart in order; never empty for type "multipart".
    message:       the embedded message's root, of message/rfc822 and message/global only.
    """

    type: str
    subtype: str
    header_start: int
    body_start: int
    end: int
    lines: int = 0
    encoding: str = "7bit"
    charset: str = ""
    disposition: str = ""
    filename: str = ""
    children: tuple["Part", ...] = ()
    message: "Part | None" = None


_quoted = json.encoder.encode_basestring_ascii
_RECORD = "[%s,%s,%d,%d,%d,%d,%s,%s,%s,%s,%d]"
_decode = json.JSONDecoder().decode  # json.loads would look for the encoding first


def pack(root: Part) -> bytes:
    """The tree as bytes: a JSON list of records in preorder, each with the number of its children."""
    records: list[str] = []
    todo = [root]
    while todo:
        part = todo.pop()
        if part.message is not None:
            records.append(_record(part, -1))
            todo.append(part.message)
        else:
            records.append(_record(part, len(part.children)))
            todo.extend(reversed(part.children))
    return f"[{','.join(records)}]".encode()


def _record(part: Part, count: int) -> str:
    return _RECORD % (
        _quoted(part.type),
        _quoted(part.subtype),
        part.header_start,
        part.body_start,
        part.end,
        part.lines,
        _quoted(part.encoding),
        _quoted(part.charset),
        _quoted(part.disposition),
        _quoted(part.filename),
        count,
    )


def unpack(data: bytes) -> Part:
    """The tree that *data*, made by `pack`, describes."""
    done: list[Part] = []  # the subtrees right of where we are, the next one last
    for *values, count in reversed(_decode(data.decode())):
        if count < 0:
            done.append(Part._make((*values, (), done.pop())))
        elif count:
            children = tuple(reversed(done[-count:]))
            del done[-count:]
            done.append(Part._make((*values, children, None)))
        else:
            done.append(Part(*values))
    (root,) = done
    return root


def find(root: Part, section: tuple[int, ...]) -> Part | None:
    """The part with this number; None if there is none.  () is the message itself.

    A message that is no multipart has one part, 1: itself (RFC 3501 §6.4.5).
    """
    part, is_message = root, True
    for number in section:
        if not is_message and part.message is not None:
            part, is_message = part.message, True
        if part.children:
            if not 1 <= number <= len(part.children):
                return None
            part, is_message = part.children[number - 1], False
        elif is_message and number == 1:
            is_message = False
        else:
            return None
    return part
