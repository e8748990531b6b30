"""Records as people read them, as a zone file, and as Cloudflare's interface takes them.

Spec: RFC 1035 §5.1, §3.3, §3.3.14.  Status: complete.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mailserver.net.published.records import Record, is_within

STRING = 255  #: octets of one string in TXT; longer texts are cut (RFC 1035 §3.3)
_CAA = re.compile(r'(\d+) (\w+) "(.*)"')


def text(found: Iterable[Record], domain: str) -> Iterator[str]:
    """For people: what each is for, and what to type in."""
    for one in found:
        elsewhere = "" if is_within(one.name, domain) else "  (in another zone)"
        yield f"# {one.why} [{one.need}]{elsewhere}"
        yield f"{one.name}  {one.type}  {one.value}"
        yield ""


def zone(found: Sequence[Record], domain: str) -> Iterator[str]:
    """Lines of a zone file, with absolute names; what belongs into another zone is a comment."""
    for one in found:
        line = f"{one.name}. {one.ttl} IN {one.type} {rdata(one)}"
        yield f"; {one.why} [{one.need}]"
        yield line if is_within(one.name, domain) else f"; in the zone of {one.name}: {line}"


def rdata(one: Record) -> str:
    """The value as a zone file has it: a text is quoted, and cut into strings."""
    return strings(one.value) if one.type == "TXT" else one.value


def strings(value: str) -> str:
    """ "..." "...": each of at most STRING octets, with quotes and backslashes escaped."""
    data = value.encode("ascii", "backslashreplace").decode()
    pieces = [data[at : at + STRING] for at in range(0, len(data), STRING)] or [""]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


def rows(found: Iterable[Record]) -> list[dict[str, Any]]:
    """What --json says."""
    return [
        {
            "for": str(one.kind),
            "name": one.name,
            "type": one.type,
            "value": one.value,
            "zone_value": rdata(one),
            "ttl": one.ttl,
            "need": str(one.need),
            "why": one.why,
        }
        for one in found
    ]


def cloudflare(found: Iterable[Record], domain: str) -> dict[str, Any]:
    """The body of Cloudflare's batch call: POST /zones/ZONE/dns_records/batch.

    Only what is within *domain*; a wildcard or a host elsewhere is the business of its own zone.
    """
    return {"posts": [_post(one) for one in found if is_within(one.name, domain)]}


def _post(one: Record) -> dict[str, Any]:
    post: dict[str, Any] = {
        "type": one.type,
        "name": one.name,
        "ttl": one.ttl,
        "comment": one.why[:100],
    }
    words = one.value.split()
    if one.type == "MX":
        post |= {"priority": int(words[0]), "content": words[1].rstrip(".")}
    elif one.type == "SRV":
        priority, weight, port = map(int, words[:3])
        target = words[3].rstrip(".") or "."
        post["data"] = {"priority": priority, "weight": weight, "port": port, "target": target}
    elif one.type == "TLSA":
        usage, selector, matching = map(int, words[:3])
        post["data"] = {
            "usage": usage,
            "selector": selector,
            "matching_type": matching,
            "certificate": words[3],
        }
    elif one.type == "CAA" and (m := _CAA.fullmatch(one.value)):
        post["data"] = {"flags": int(m[1]), "tag": m[2], "value": m[3]}
    elif one.type == "TXT":
        post["content"] = strings(one.value)
    else:
        post |= {"content": one.value.rstrip("."), "proxied": False}
    return post
