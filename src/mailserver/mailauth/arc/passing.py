"""What a message's own header says we found when it came: for the seal that it gets when it is passed on.

Spec: RFC 8617 §5.1; RFC 8601 §4.1.  Status: complete.

Between taking a message and passing it on there may be days, and another process.  Nothing needs to be kept beside it:
our Authentication-Results stand in its header, and none that pretends to be ours does.
"""

from typing import Literal, NamedTuple

from mailserver.base.errors import PeerError
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.arc.sets import highest
from mailserver.mailauth.arc.verify import ArcResult
from mailserver.mailauth.dkim.header import Header
from mailserver.mailauth.results import parse
from mailserver.mime.headers import split_fields

_NAME = b"authentication-results"


class Found(NamedTuple):
    """text: the results without our name in front; chain: what we found of the ARC sets on it."""

    text: str
    chain: ArcResult


def found_before(header_block: bytes, authserv_id: str, limits: DkimLimits) -> Found | None:
    """What we found of the message with this header; None where we were not asked, or it cannot be told."""
    fields = [
        field.partition(b":")[2]
        for name, field in split_fields(header_block)
        if name.lower() == _NAME
    ]
    for value in fields:
        try:
            results = parse(value)
        except PeerError:
            continue
        if results.authserv_id.lower() != authserv_id.lower():
            continue
        said = {one.method: one.result for one in results.results}
        text = value.decode("utf-8", "replace").partition(";")[2].strip()
        return Found(text, _chain(said.get("arc", "none"), header_block, limits)) if said else None
    return None


def _chain(said: str, header_block: bytes, limits: DkimLimits) -> ArcResult:
    """The sets are the same as when they were judged: whoever changes them breaks the chain for the next one."""
    header = Header(header_block, max_size=len(header_block))
    instance, status = highest(header, limits)
    result: Literal["none", "pass", "fail"] = "fail"
    if said == "pass" and instance:
        result = "pass"
    elif said == "none" and not instance:
        result = "none"
    return ArcResult(
        result, "as it was found before", instance=instance, is_closed=status == "fail"
    )
