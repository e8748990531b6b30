"""HTML as somebody reads it, for comparing: without tags, characters for their names, white space run together.

Spec: RFC 2854.  Status: complete for searching; nothing is laid out.
"""

import re
from html.entities import html5
from typing import Final

_LONGEST_TAIL: Final = 65_536  # characters of an unfinished tag that wait for the next piece
#: what begins something nobody reads, and what ends it
_UNREAD: Final = {"<!--": "-->", "<style": "</style", "<script": "</script", "<![cdata[": "]]>"}
_OPENING = re.compile(r"<!--|<style\b|<script\b|<!\[cdata\[")
#: tags that stand inside words
_INLINE = re.compile(
    r"</?(?:[abiusq]|abbr|acronym|bd[io]|big|cite|code|del|dfn|em|font|ins|kbd|label|mark|o:p|samp|small|span|strike"
    r"|strong|su[bp]|tt|var|wbr)(?![^\s/>])[^<>]*+>"
)
_TAG = re.compile(r"<[!?/a-z][^<>]*+>")
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#x([0-9a-f]{1,6})|([a-z][a-z0-9]{1,31}));?")
_BREAKS: Final = ("\u200b", "\u00ad")  # where a word may be broken; nobody sees them


class HtmlText:
    """Takes HTML in pieces and gives its text in pieces.

    The HTML is in lower case, as `fold` makes it: names are looked up many times faster so.
    """

    __slots__ = ("_rest", "_until")

    def __init__(self) -> None:
        self._rest = ""
        self._until = ""  # what ends the comment, style or script that we are in

    def feed(self, piece: str, *, is_last: bool = False) -> str:
        """The text of *piece* and of what waited; what may go on in the next piece waits."""
        data = self._rest + piece
        self._rest = ""
        if not is_last:
            cut = max(data.rfind("<"), data.rfind("&"))
            if cut >= 0 and len(data) - cut < _LONGEST_TAIL and not _is_closed(data, cut):
                data, self._rest = data[:cut], data[cut:]
        return _readable("".join(self._read_parts(data)))

    def _read_parts(self, data: str) -> list[str]:
        """*data* without what nobody reads."""
        out: list[str] = []
        at = 0
        while True:
            if self._until:
                end = data.find(self._until, at)
                if end < 0:
                    return out
                at, self._until = end + len(self._until), ""
                out.append(" " if data[at - 1] == ">" else " <x")  # the rest of "</style   >"
            start = _OPENING.search(data, at)
            if start is None:
                out.append(data[at:])
                return out
            out.append(data[at : start.start()])
            at, self._until = start.end(), _UNREAD[start[0]]


def _is_closed(data: str, cut: int) -> bool:
    """The tag or the name that begins at *cut* is there to its end."""
    return data.find(">" if data[cut] == "<" else ";", cut) >= 0


def _readable(data: str) -> str:
    if "<" in data:
        data = _TAG.sub(" ", _INLINE.sub("", data))
    if "&" in data:
        data = _REFERENCE.sub(_character, data)
    if not data.isascii():
        for character in _BREAKS:
            data = data.replace(character, "")
    words = " ".join(data.split())
    before = " " if data[:1].isspace() else ""
    return f"{before}{words} " if words and data[-1].isspace() else before + words


def _character(m: re.Match[str]) -> str:
    if m[3] is not None:
        return html5.get(m[3] + ";") or html5.get(m[3]) or m[0]
    number = int(m[1]) if m[1] is not None else int(m[2], 16)
    if 0 < number <= 0x10FFFF and not 0xD800 <= number < 0xE000:
        return chr(number)
    return "\N{REPLACEMENT CHARACTER}"
