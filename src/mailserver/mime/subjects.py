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
    return _parted(subject)[0]


def is_reply(subject: str) -> bool:
    """Whether the decoded *subject* is that of a reply or of something forwarded (RFC 5256 §3, REFERENCES)."""
    return _parted(subject)[1]


def _parted(subject: str) -> tuple[str, bool]:
    """The base subject, and whether more than white space and blobs was taken off for it."""
    is_tidy = subject.isprintable() and "  " not in subject  # nearly always
    text = subject if is_tidy else _SPACES.sub(" ", subject)
    reply = False
    while True:
        text, forwarded = _without_trailer(text)  # (2)
        reply = reply or forwarded
        pos = 0
        while True:
            m = _LEADER.match(text, pos)  # (3)
            if m is not None:
                reply = reply or m.end() - pos > 1
                pos = m.end()
                continue
            m = _BLOB_AT.match(text, pos)  # (4)
            if m is None or m.end() == len(text):
                break
            pos = m.end()
        text = text[pos:]
        if text[:5].lower() != "[fwd:" or not text.endswith("]"):  # (6)
            return text, reply
        text, reply = text[5:-1], True


def _without_trailer(text: str) -> tuple[str, bool]:
    """*text* without its trailers, and whether "(fwd)" was among them."""
    end, forwarded = len(text), False
    while True:
        if text.endswith((" ", "\t"), 0, end):
            end -= 1
        elif text[max(0, end - 5) : end].lower() == "(fwd)":
            end, forwarded = end - 5, True
        else:
            return text[:end], forwarded
