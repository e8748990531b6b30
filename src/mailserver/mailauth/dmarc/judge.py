"""Whether SPF or DKIM speak for the domain in From, and what follows.

Spec: RFC 9989 §4.4, §5.3.2 to §5.3.6; RFC 7489 §3.1.  Status: complete.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from mailserver.mailauth.dmarc.author import Author
from mailserver.mailauth.dmarc.discover import Discovery
from mailserver.mailauth.dmarc.record import Wish

Result = Literal["none", "pass", "fail", "temperror", "permerror"]


class Proof(NamedTuple):
    """What another method found.  domain: whose pass it would be, A-labels in lower case."""

    method: Literal["spf", "dkim"]
    result: str
    domain: str


class DmarcResult(NamedTuple):
    """The verdict, and what the domain's owner wants.

    disposition: what he wants done with this message; "none" for all that do not fail.
    aligned_by:  the proofs that carry a pass.       policy_domain: where the record stands; "" without one.
    published:   the policy that applies, whatever the verdict.
    is_test:     he only tests: the disposition would be *published* otherwise.
    """

    result: Result
    disposition: Wish
    aligned_by: tuple[Proof, ...]
    reason: str
    domain: str = ""
    policy_domain: str = ""
    published: Wish = "none"
    is_test: bool = False


def unnamed(author: Author) -> DmarcResult:
    """The verdict on a message that does not say who wrote it: suspicious if it pretends to."""
    if author.is_broken:
        return DmarcResult("permerror", "quarantine", (), author.reason)
    return DmarcResult("none", "none", (), author.reason)


def judge(
    found: Discovery, proofs: Sequence[Proof], organizations: Mapping[str, str | None]
) -> DmarcResult:
    """The verdict on a message from `found.domain`.

    organizations: of the proofs' domains, as `discover.organizations` gives them.
    """
    record = found.record
    if record is None:
        result: Result = "temperror" if found.is_temporary else "none"
        return DmarcResult(result, "none", (), found.reason, found.domain)
    aligned, unknown = [], ""
    for proof in proofs:
        if proof.result not in ("pass", "temperror"):
            continue
        is_strict = (record.aspf if proof.method == "spf" else record.adkim) == "s"
        is_aligned = _is_aligned(found, proof.domain, organizations, is_strict=is_strict)
        if is_aligned and proof.result == "pass":
            aligned.append(proof)
        elif is_aligned is not False:
            why = (
                "no answer yet" if proof.result == "temperror" else "whose organization is unknown"
            )
            unknown = unknown or f"{proof.method} of {proof.domain}, {why}"
    if aligned:
        by = ", ".join(dict.fromkeys(f"{one.method} of {one.domain}" for one in aligned))
        return _verdict(found, "pass", "none", tuple(aligned), f"aligned: {by}")
    if unknown:
        return _verdict(found, "temperror", "none", (), unknown)
    said = f"nothing aligned with {found.domain}; {found.reason}, policy {found.wish}"
    if record.is_test:
        return _verdict(found, "fail", "none", (), f"{said}, only a test")
    return _verdict(found, "fail", found.wish, (), said)


def _verdict(
    found: Discovery, result: Result, wanted: Wish, aligned: tuple[Proof, ...], reason: str
) -> DmarcResult:
    is_test = found.record is not None and found.record.is_test
    return DmarcResult(
        result,
        wanted,
        aligned,
        reason,
        found.domain,
        found.policy_domain,
        found.wish,
        is_test,
    )


def _is_aligned(
    found: Discovery, domain: str, organizations: Mapping[str, str | None], *, is_strict: bool
) -> bool | None:
    """None: nobody knows for now."""
    if not domain or domain == found.domain:
        return bool(domain)
    if is_strict or domain not in organizations:
        return False
    theirs = organizations[domain]
    if theirs is None or found.is_temporary:
        return None
    return theirs == found.organization
