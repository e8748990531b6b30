"""Signatures of a message, verified.

Spec: RFC 6376 §3.9, §3.10, §6.1, §8.2, §8.15; RFC 8301 §3; RFC 8463 §3.  Status: complete.

Three steps: `Verification` reads the fields and says which records it needs; the body is fed to the message, while
somebody asks the DNS (`record.look_up`); `results` judges.  Only the second step waits, the third is for a thread when
there is much to compute.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mailserver.base.limits import DkimLimits
from mailserver.mailauth.dkim.header import Field
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.outcome import DkimResult, Problem, Rejected
from mailserver.mailauth.dkim.record import Keys, PublicRecord, look_up
from mailserver.mailauth.dkim.signature import (
    Claim,
    Signature,
    read_claim,
    read_signature,
    read_tag_b,
    read_tags,
)
from mailserver.mailauth.resolver import Resolver

_NOBODY = Claim("", "", "", "")
BODY_CHANGED = "the body is not what was signed"
NOT_FOR_MAIL = Problem("permerror", "the key is not for mail")


class _Case(NamedTuple):
    """One field: a signature to verify, or the verdict on it already."""

    claim: Claim
    tag_b: str
    signature: Signature | None
    problem: Problem | None


class Verification:
    """The signatures of *message*, whose body has not been fed yet.

    names: of the DNS records that are needed, each once.
    marks: the beginnings of b=, which tell the signatures apart (header.b of RFC 8601); as many as there are results.
    """

    def __init__(self, message: Message, *, now: int) -> None:
        """*now*: the Unix time at which the message came."""
        self._message = message
        self._limits = message.limits
        self._now = now
        fields = message.header.named(b"dkim-signature")
        self._cases: list[_Case] = []
        names: dict[str, None] = {}
        marks = []
        for field in fields[: self._limits.signatures]:
            case = self._case(field)
            self._cases.append(case)
            marks.append(case.tag_b)
            if case.signature is not None:
                message.bodies.want(case.signature.wanted)
                names[case.claim.record_name] = None
        self.names = tuple(names)
        self._surplus = len(fields) - len(self._cases)
        self.marks = (*marks, "") if self._surplus or message.header.fault else tuple(marks)

    def results(self, records: Mapping[str, Keys]) -> tuple[DkimResult, ...]:
        """A verdict on each signature, in the order of the fields; none when there are no signatures.

        *records* has every one of `names`; the body has been fed.  Signatures beyond the limit share one verdict.
        """
        if self._message.header.fault:
            return (DkimResult("permerror", self._message.header.fault),)
        results = [self._judge(case, records) for case in self._cases]
        if self._surplus:
            text = f"{self._surplus} more signatures were not looked at"
            results.append(DkimResult("policy", text))
        return tuple(results)

    def _case(self, field: Field) -> _Case:
        claim, tag_b = _NOBODY, ""
        try:
            tags = read_tags(field, self._limits)
            claim, tag_b = read_claim(tags), read_tag_b(tags)
            signature = read_signature(field, tags, claim, self._limits)
            check_message(self._message, signature, self._now)
        except Rejected as rejected:
            return _Case(claim, tag_b, None, rejected.problem)
        return _Case(claim, tag_b, signature, None)

    def _judge(self, case: _Case, records: Mapping[str, Keys]) -> DkimResult:
        claim, signature = case.claim, case.signature
        if signature is None:
            assert case.problem is not None
            return self._result(case.problem, case)
        keys = records[claim.record_name]
        if isinstance(keys, Problem):
            return self._result(keys, case)
        problem = check_key(keys, claim.algorithm, self._limits)
        if (
            problem is None
            and keys.is_exact
            and not signature.manner.identity.endswith(f"@{claim.domain}")
        ):
            problem = Problem("permerror", "i= is below d=, which the key's t=s does not allow")
        is_report = False
        if problem is NOT_FOR_MAIL:
            is_report = compare(self._message, signature, keys).result == "pass"
        problem = problem or compare(self._message, signature, keys)
        return self._result(problem, case, keys, is_report=is_report)

    def _result(
        self,
        problem: Problem,
        case: _Case,
        keys: PublicRecord | None = None,
        *,
        is_report: bool = False,
    ) -> DkimResult:
        claim, signature, covers_all = case.claim, case.signature, True
        if signature and signature.wanted.length is not None:
            size = self._message.bodies.digest(signature.wanted).size
            covers_all = signature.wanted.length >= size
        return DkimResult(
            problem.result,
            problem.reason,
            claim.domain,
            claim.selector,
            signature.manner.identity if signature else "",
            claim.algorithm,
            keys.is_testing if keys else False,
            covers_all,
            keys.bits if keys else 0,
            is_report=is_report,
        )


def check_key(keys: PublicRecord, algorithm: str, limits: DkimLimits) -> Problem | None:
    """Why this key may not be used for *algorithm*; None if it may (RFC 6376 §6.1.2, RFC 8301 §3.2)."""
    is_rsa = keys.rsa_key is not None
    if is_rsa != (algorithm == "rsa-sha256"):
        return Problem("permerror", "the key is of another kind than the signature")
    if keys.hashes is not None and b"sha256" not in keys.hashes:
        return Problem("permerror", "the key is not for use with SHA-256")
    if is_rsa and keys.bits < max(limits.least_rsa_bits, 1_024):
        return Problem("policy", f"a key of {keys.bits} bits proves nothing")
    if is_rsa and keys.bits > limits.most_rsa_bits:
        return Problem("policy", f"a key of {keys.bits} bits is too large")
    return None if keys.is_for_mail else NOT_FOR_MAIL


def check_message(message: Message, signature: Signature, now: int) -> None:
    """What needs no key: times, and what the message itself is like.  Raises Rejected."""
    if signature.expires_at is not None and signature.expires_at < now:
        raise Rejected("policy", "the signature has expired")
    if (signature.signed_at or 0) > now + message.limits.clock_skew_s:
        raise Rejected("policy", "the signature was made in the future")
    header = message.header
    if len(header.named(b"from")) != 1:
        raise Rejected("permerror", "the message has not exactly one From")
    if unsigned := header.more_often(signature.manner.singles):
        text = f"the message has an unsigned {unsigned.decode('ascii')} beside the signed one"
        raise Rejected("policy", text)


def compare(message: Message, signature: Signature, keys: PublicRecord) -> Problem:
    """Whether *message* is what was signed, and with *keys*; a pass has its reason too."""
    found = message.bodies.digest(signature.wanted)
    length = signature.wanted.length
    if length is not None and length > found.size:
        return Problem("fail", "the signature covers more than the body has")
    if found.digest != signature.body_hash:
        return Problem("fail", BODY_CHANGED)
    manner = signature.manner
    without = signature.field if signature.field.name in manner.names else None
    text = message.header.signed_text(manner.turns, manner.form, without)
    covered = hashlib.sha256(text + signature.itself)
    if not keys.is_signed(signature.value, covered.digest()):
        return Problem("fail", "the header is not what was signed, or the key is another one")
    if length is not None and length < found.size:
        rest = found.size - length
        return Problem("policy", f"the last {rest} octets of the body are not signed")
    return Problem("pass", f"{signature.claim.algorithm}, {keys.bits} bits")


async def verify(
    header_block: bytes,
    body: Iterable[bytes],
    resolver: Resolver,
    *,
    now: int,
    limits: DkimLimits | None = None,
) -> tuple[DkimResult, ...]:
    """All three steps for a message that is at hand, one question to the DNS after the other."""
    message = Message(header_block, limits)
    verification = Verification(message, now=now)
    for piece in body:
        message.feed(piece)
    records = {name: await look_up(resolver, name, message.limits) for name in verification.names}
    return verification.results(records)
