"""What a spam or virus filter in front wrote into a header field, as the numbers that scripts compare.

Spec: RFC 5235 §3.2, §3.3.  Status: complete.
"""

import re
from dataclasses import dataclass

from mailserver.sieve.message import Message

_NUMBER = r"[-+]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
#: "Yes, score=7.2 required=5.0 tests=..." (SpamAssassin), "default: False [3.20 / 15.00]; ..." (rspamd)
_OF = re.compile(
    rf"\b(?:score|hits)=(?P<a>{_NUMBER})\s.{{0,200}}?\brequired=(?P<b>{_NUMBER})"
    rf"|\[(?P<c>{_NUMBER})\s{{0,9}}/\s{{0,9}}(?P<d>{_NUMBER})\]",
    re.DOTALL,
)
_ALONE = re.compile(rf"(?:score=)?({_NUMBER})(?:\s|;|,|\Z)")
_BAR = re.compile(r"[*+xX]{1,100}(?=\s|\Z)")
_VIRUS = (  # the first that the field begins with
    (re.compile(r"([0-5])(?:\D|\Z)"), None),
    (re.compile(r"clean\b|no\b|ok\b|not infected|negative|passed", re.IGNORECASE), 1),
    (re.compile(r"replaced|removed|disinfected", re.IGNORECASE), 2),
    (re.compile(r"cured|cleaned|repaired", re.IGNORECASE), 3),
    (re.compile(r"suspicious|suspected|possibl|perhaps|unchecked part", re.IGNORECASE), 4),
    (re.compile(r"infected|yes\b|virus|found|positive|malware", re.IGNORECASE), 5),
)


@dataclass(frozen=True, slots=True)
class Scores:
    """Which fields of the message count; "" for none.

    spam_full: the score that is spam for certain, where the field does not say.
    """

    spam_header: str = ""
    spam_full: float = 5.0
    virus_header: str = ""

    def spam(self, message: Message) -> float | None:
        """From 0, clear, to 1, spam for certain; None: not tested.  The topmost field counts."""
        value = _field(message, self.spam_header)
        return None if value is None else spam_score(value, self.spam_full)

    def virus(self, message: Message) -> int:
        """0: not tested, 1: none, 2: replaced, 3: cured, 4: perhaps, 5: certainly (RFC 5235 §3.3)."""
        value = _field(message, self.virus_header)
        return 0 if value is None else virus_verdict(value)


def spam_score(value: str, full: float) -> float | None:
    """What the field says, from 0 to 1; None where it says nothing that can be understood."""
    value = value.strip()[:2_000]
    if m := _OF.search(value):
        score, full = float(m["a"] or m["c"]), float(m["b"] or m["d"])
    elif m := _ALONE.match(value):
        score = float(m[1])
    elif m := _BAR.match(value):
        score = float(len(m[0]))
    else:
        return None
    if full <= 0:
        return 1.0 if score >= full else 0.0
    return min(max(score / full, 0.0), 1.0)


def virus_verdict(value: str) -> int:
    """What the field says; 0 where it says nothing that can be understood."""
    value = value.strip()[:200]
    for pattern, verdict in _VIRUS:
        if m := pattern.match(value):
            return int(m[1]) if verdict is None else verdict
    return 0


def _field(message: Message, name: str) -> str | None:
    return next(iter(message.values(name.lower())), None) if name else None
