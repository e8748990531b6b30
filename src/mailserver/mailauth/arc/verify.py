"""The chain of seals on a message, verified.

Spec: RFC 8617 §4.1.3, §5.1.1, §5.2; RFC 8301 §3.  Status: complete.

The signatures of all but the newest set are not looked at: they say how far back the content is the same, which changes
no verdict (RFC 8617 §5.2, step 5).  A signature that covers other ARC fields than seals was not made as RFC 8617 §4.1.2
has it; it is verified all the same.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mailauth.arc.sets import NAMES, SEAL, ArcSet, highest, read_sets
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.outcome import Problem, Rejected
from mailserver.mailauth.dkim.record import Keys
from mailserver.mailauth.dkim.signature import (
    Claim,
    Signature,
    check_algorithm,
    check_claim,
    check_required,
    read_claim,
    read_signature,
    read_time,
    without_b,
)
from mailserver.mailauth.dkim.tags import base64
from mailserver.mailauth.dkim.verify import check_key, check_message, compare


class ArcResult(NamedTuple):
    """The verdict on a chain.

    reason:       for people.
    sealers:      who has sealed, in A-labels, the oldest first; empty unless the result is pass.
    results:      what each of them had found (Authentication-Results without the instance), in the same order.
    instance:     the highest one on the message, whether the chain holds or not; 0 without any.
    is_closed:    the newest seal says already that the chain is broken, so nobody adds to it.
    is_temporary: a key could not be asked for; for ARC that is a failure too (RFC 8617 §5.2.1).
    """

    result: Literal["none", "pass", "fail"]
    reason: str
    sealers: tuple[str, ...] = ()
    results: tuple[bytes, ...] = ()
    instance: int = 0
    is_closed: bool = False
    is_temporary: bool = False


UNSEALED = ArcResult("none", "there are no ARC fields")


def is_unsealed(message: Message) -> bool:
    """Whether nobody has sealed *message*, nor pretended to: its verdict is UNSEALED."""
    return not message.header.fault and message.header.lacks(NAMES)


class _Seal(NamedTuple):
    """A seal that is ready to be verified; *itself*: the field with b= empty, relaxed."""

    claim: Claim
    value: bytes
    itself: bytes


class Chain:
    """The chain on *message*, whose body has not been fed yet.

    names: of the DNS records that are needed, each once.
    """

    def __init__(self, message: Message, *, now: int) -> None:
        """*now*: the Unix time at which the message came."""
        self._message = message
        self._sets: list[ArcSet] = []
        self._seals: list[_Seal] = []
        self._signature: Signature | None = None
        self._problem: Problem | None = None
        try:
            self._prepare(now)
        except Rejected as rejected:
            self._problem = rejected.problem
        claims = [seal.claim for seal in self._seals] if self._problem is None else []
        if self._signature:
            claims.insert(0, self._signature.claim)
        self.names = tuple(dict.fromkeys(claim.record_name for claim in claims))

    def result(self, records: Mapping[str, Keys]) -> ArcResult:
        """The verdict; *records* has every one of `names`, and the body has been fed."""
        header, limits = self._message.header, self._message.limits
        if header.fault:
            return ArcResult("fail", header.fault)
        if self._problem is None and not self._sets:
            return UNSEALED
        problem = self._problem or self._verify(records)
        instance, status = highest(header, limits)
        if problem:
            return ArcResult(
                "fail",
                problem.reason,
                instance=instance,
                is_closed=status == "fail",
                is_temporary=problem.result == "temperror",
            )
        sealers = tuple(seal.claim.domain for seal in self._seals)
        return ArcResult(
            "pass",
            f"sealed by {', '.join(sealers)}",
            sealers=sealers,
            results=tuple(one.payload for one in self._sets),
            instance=instance,
        )

    def _prepare(self, now: int) -> None:
        """Everything that needs neither keys nor the body.  Raises Rejected."""
        limits = self._message.limits
        self._sets = read_sets(self._message.header, limits)
        if not self._sets:
            return
        for one in self._sets:
            expected = "none" if one.instance == 1 else "pass"
            if one.status != expected:
                text = f"seal {one.instance} says cv={one.status}, not cv={expected}"
                raise Rejected("fail", text)
        newest = self._sets[-1]
        claim = read_claim(newest.signature_tags)
        signature = read_signature(
            newest.signature, newest.signature_tags, claim, limits, is_arc=True
        )
        if SEAL in signature.manner.names:
            raise Rejected("fail", "the newest ARC signature covers ARC-Seal, which it must not")
        check_message(self._message, signature, now)
        self._seals = [_read_seal(one) for one in self._sets]
        self._message.bodies.want(signature.wanted)
        self._signature = signature

    def _verify(self, records: Mapping[str, Keys]) -> Problem | None:
        assert self._signature is not None
        problem = self._check_signature(self._signature, records)
        if problem:
            return Problem(problem.result, f"the newest ARC signature: {problem.reason}")
        covered = hashlib.sha256()
        for one, seal in zip(self._sets, self._seals, strict=True):
            for field in (one.results, one.signature):
                covered.update(field.canonical("relaxed") + b"\r\n")
            digest = covered.copy()
            digest.update(seal.itself)
            problem = self._check_seal(seal, digest.digest(), records)
            if problem:
                return Problem(problem.result, f"seal {one.instance}: {problem.reason}")
            covered.update(one.seal.canonical("relaxed") + b"\r\n")
        return None

    def _check_signature(self, signature: Signature, records: Mapping[str, Keys]) -> Problem | None:
        keys = records[signature.claim.record_name]
        if isinstance(keys, Problem):
            return keys
        problem = check_key(keys, signature.claim.algorithm, self._message.limits)
        problem = problem or compare(self._message, signature, keys)
        return None if problem.result == "pass" else problem

    def _check_seal(
        self, seal: _Seal, digest: bytes, records: Mapping[str, Keys]
    ) -> Problem | None:
        keys = records[seal.claim.record_name]
        if isinstance(keys, Problem):
            return keys
        problem = check_key(keys, seal.claim.algorithm, self._message.limits)
        if problem is None and not keys.is_signed(seal.value, digest):
            problem = Problem("fail", "the fields are not what was sealed")
        return problem


def _read_seal(one: ArcSet) -> _Seal:
    """The seal of *one*.  Raises Rejected."""
    values = one.seal_tags
    claim = read_claim(values)
    try:
        if "h" in values:
            raise Rejected("fail", "it has h=, which seals must not have")
        check_required(values, ("a", "b", "d", "s", "cv"))
        check_algorithm(values["a"])
        check_claim(claim)
        read_time(values, "t")
        return _Seal(claim, base64(values["b"]), without_b(one.seal, "relaxed"))
    except (Rejected, PeerError) as error:
        raise Rejected("fail", f"seal {one.instance}: {error}") from None
