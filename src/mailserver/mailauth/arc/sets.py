"""The ARC fields of a header, as sets.

Spec: RFC 8617 §4.1, §4.2, §5.2 (steps 1 to 3).  Status: complete.
"""

import re
from dataclasses import dataclass

from mailserver.base.limits import DkimLimits
from mailserver.mailauth.dkim.header import Field, Header
from mailserver.mailauth.dkim.outcome import Rejected
from mailserver.mailauth.dkim.signature import read_tags

MOST = 50  #: sets of one message (RFC 8617 §4.2.1)
RESULTS, SIGNATURE, SEAL = (
    b"arc-authentication-results",
    b"arc-message-signature",
    b"arc-seal",
)
NAMES = (RESULTS, SIGNATURE, SEAL)

_RESULTS = re.compile(
    rb"[ \t\r\n]*+i[ \t\r\n]*+=[ \t\r\n]*+([0-9]{1,3})[ \t\r\n]*+;(.*)", re.DOTALL
)
_WORD = re.compile(rb"[a-z]{1,10}")
_INSTANCE = re.compile(rb"0*([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One server's three fields.

    payload: what the first one says, behind its instance; folded as it came.
    status:  cv= of the seal.
    """

    instance: int
    results: Field
    payload: bytes
    signature: Field
    signature_tags: dict[str, bytes]
    seal: Field
    seal_tags: dict[str, bytes]

    @property
    def status(self) -> str:
        """cv=: what the server found about the chain up to it."""
        return status(self.seal_tags)


def status(tags: dict[str, bytes]) -> str:
    """cv= of a seal in lower case; "" if it is no word."""
    value = tags.get("cv", b"").lower()
    return value.decode("ascii") if _WORD.fullmatch(value) else ""


def highest(header: Header, limits: DkimLimits) -> tuple[int, str]:
    """The highest instance that any ARC field of *header* claims, and what its seal says; (0, "") without any.

    Fields that cannot be read claim nothing.
    """
    found, said = 0, ""
    for name in NAMES:
        for field in header.named(name)[: MOST + 1]:
            try:
                instance, tags, _ = _read(field, limits)
            except Rejected:
                continue
            if instance > found:
                found, said = instance, ""
            if name == SEAL and instance == found:
                said = status(tags)
    return found, said


def read_sets(header: Header, limits: DkimLimits) -> list[ArcSet]:
    """The sets in the order in which they were added; none without ARC fields.  Raises Rejected with what is wrong.

    RFC 8617 §5.2: too many, one that says that the chain is broken, incomplete or doubled ones, gaps.
    """
    found: dict[bytes, dict[int, tuple[Field, dict[str, bytes], bytes]]] = {}
    count = max(len(header.named(name)) for name in NAMES)
    if not count:
        return []
    if count > MOST:
        raise Rejected("fail", f"there are more than {MOST} ARC sets")
    for name in NAMES:
        found[name] = {}
        for field in header.named(name):
            instance, tags, payload = _read(field, limits)
            if instance in found[name]:
                raise Rejected("fail", f"{title(name)} {instance} is there twice")
            found[name][instance] = (field, tags, payload)
    newest = found[SEAL].get(max(found[SEAL], default=0))
    if newest and status(newest[1]) == "fail":
        raise Rejected("fail", "the newest seal says that the chain was broken before")
    for name in NAMES:
        for instance in range(1, count + 1):
            if instance not in found[name]:
                raise Rejected("fail", f"{title(name)} {instance} is missing")
    return [
        ArcSet(
            instance=n,
            results=found[RESULTS][n][0],
            payload=found[RESULTS][n][2],
            signature=found[SIGNATURE][n][0],
            signature_tags=found[SIGNATURE][n][1],
            seal=found[SEAL][n][0],
            seal_tags=found[SEAL][n][1],
        )
        for n in range(1, count + 1)
    ]


def title(name: bytes) -> str:
    """A field's name as people write it."""
    return "-".join(w.upper() if w == "arc" else w.title() for w in name.decode("ascii").split("-"))


def _read(field: Field, limits: DkimLimits) -> tuple[int, dict[str, bytes], bytes]:
    """The instance of a field, its tags where it is a list of them, and the results where it has those."""
    if field.name == RESULTS:
        if len(field.raw) > limits.signature_size:
            raise Rejected("fail", f"{title(field.name)} is too large")
        m = _RESULTS.fullmatch(field.body)
        value, tags, payload = (m[1], {}, m[2]) if m else (b"", {}, b"")
    else:
        tags, payload = read_tags(field, limits), b""
        value = tags.get("i", b"")
    instance = _INSTANCE.fullmatch(value)
    if not instance or int(instance[1]) > MOST:
        raise Rejected("fail", f"{title(field.name)} has no instance from 1 to {MOST}")
    return int(instance[1]), tags, payload
