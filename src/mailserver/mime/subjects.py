"""The base subject, by which SORT and THREAD know that "Re: Lunch" and "Lunch (fwd)" are one matter.

Spec: RFC 5256 §2.1, §5.  Status: complete.
"""

import re

_BLOB = r"\[[^\[\]]*\][ \t]*"
_LEADER = re.compile(rf"(?:(?:{_BLOB})*(?:re|fwd?)[ \t]*(?:{_BLOB})?:|[ \t])", re.IGNORECASE)
_BLOB_AT = re.compile(_BLOB)
_SPACES = re.compile(r"[ \t\r\n]+")


def base_subject(subject: str) -> str:
    """The decoded *subject* without what replies and forwards add to it, its case kept."""
    text = _SPACES.sub(" ", subject)
    while True:
        text = _without_trailer(text)  # (2)
        pos = 0
        while True:
            m = _LEADER.match(text, pos)  # (3)
            if m is not None:
                pos = m.end()
                continue
            m = _BLOB_AT.match(text, pos)  # (4)
            if m is None or m.end() == len(text):
                break
            pos = m.end()
        text = text[pos:]
        if text[:5].lower() != "[fwd:" or not text.endswith("]"):  # (6)
            return text
        text = text[5:-1]


def _without_trailer(text: str) -> str:
    end = len(text)
    while True:
        if text.endswith((" ", "\t"), 0, end):
            end -= 1
        elif text[max(0, end - 5) : end].lower() == "(fwd)":
            end -= 5
        else:
            return text[:end]
