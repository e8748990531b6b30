"""The first words of a message, as a list of messages shows them below the subject.

Spec: RFC 8970 §3.1, §3.3.  Status: complete for text and HTML; of other messages there is nothing to be said.

Only the beginning of a part is read, so a preview costs much the same of every message.
"""

import re
from collections.abc import Iterator
from html import unescape
from itertools import islice
from typing import Final

from mailserver.mime import decode
from mailserver.mime.decode import Octets
from mailserver.mime.layout import Part

SIZE: Final = 200  #: characters of a preview (RFC 8970 §3.3)
LOOKED_AT: Final = (
    65_536  #: octets of a part that are read for it; styles may stand before the first word
)
PARTS: Final = 4  #: parts that are tried, until one has words

_QUOTED: Final = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_SIGNATURE: Final = re.compile(r"^-- ?\r?$", re.MULTILINE)
_RULE: Final = re.compile(r"([-=_*~#.+])\1{3,}")
_UNSEEN: Final = re.compile(  # what has no width, and is put in previews to fill them
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]+"
)
#: what begins something that nobody reads, and what ends it
_ENDS: Final = {
    "<!--": "-->",
    "<head": "</head",
    "<style": "</style",
    "<script": "</script",
    "<title": "</title",
}
_UNREAD: Final = re.compile(r"<!--|<(?:head|style|script|title)(?![a-z0-9])", re.IGNORECASE)
_INLINE: Final = re.compile(
    r"</?(?:a|b|i|u|s|q|abbr|big|cite|code|del|em|font|ins|mark|o:p|small|span|strong|sub|sup|wbr)(?![^\s/>])[^<>]*+>",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<[!?/a-zA-Z][^<>]*+(?:>|\Z)")


def preview(raw: Octets, root: Part) -> str:
    """At most SIZE characters in one line; "" where nothing can be said, as of a message that is encrypted."""
    for part in islice(_texts(root), PARTS):
        beginning = part._replace(end=min(part.end, part.body_start + LOOKED_AT))
        text = "".join(decode.text(raw, beginning))
        words = _html(text) if part.subtype == "html" else _plain(text)
        if words:
            return words
    return ""


def _texts(root: Part) -> Iterator[Part]:
    """The parts to look at, the likeliest first: of alternatives the plain one, which is the shorter to read."""
    todo = [root]
    while todo:
        part = todo.pop()
        if part.children:
            children = list(part.children)
            if part.subtype == "encrypted":
                continue
            if part.subtype == "alternative":
                children.sort(key=lambda child: child.subtype != "plain")
            elif part.subtype == "signed":
                children = children[:1]
            todo.extend(reversed(children))
        elif part.message is not None:
            if part.disposition != "attachment":
                todo.append(part.message)
        elif (
            part.type == "text"
            and part.disposition != "attachment"
            and part.subtype in ("plain", "html", "enriched", "")
        ):
            yield part


def _plain(text: str) -> str:
    """What its author wrote: without quotations and signature, unless there is nothing else."""
    signature = _SIGNATURE.search(text)
    own = text[: signature.start()] if signature else text
    return _line(_QUOTED.sub("", own)) or _line(text)


def _html(text: str) -> str:
    out: list[str] = []
    at = 0
    while (start := _UNREAD.search(text, at)) is not None:
        out.append(text[at : start.start()])
        ending = _ENDS[start[0].lower()]
        m = re.compile(re.escape(ending), re.IGNORECASE).search(text, start.end())
        if m is None:
            break
        at = m.end()
        if ending != "-->":
            at = text.find(">", at) + 1 or len(text)
    else:
        out.append(text[at:])
    return _line(unescape(_TAG.sub(" ", _INLINE.sub("", "".join(out)))))


def _line(text: str) -> str:
    """The first words of *text* in one line."""
    text = _RULE.sub(" ", _UNSEEN.sub("", text))
    return " ".join(text.split())[:SIZE].rstrip()
