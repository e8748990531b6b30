"""What becomes of a signature.

Spec: RFC 8601 §2.7.1; RFC 6376 §3.9, §6.1.  Status: complete.

pass       the signature is right, and nothing of the body is left out of it.
fail       it does not match the message, or not the key.
policy     it is one that we do not accept: an algorithm of the past, a key too short, a body signed in part, expired.
neutral    it cannot be read, or asks for something that nobody here knows.
permerror  it can never be verified: something required is missing, there is no key.
temperror  it cannot be verified for now: the DNS does not answer.
"""

from typing import Literal, NamedTuple

Result = Literal["none", "pass", "fail", "policy", "neutral", "temperror", "permerror"]


class Problem(NamedTuple):
    """Why something is not a pass."""

    result: Result
    reason: str


class Rejected(Exception):
    """A signature that is judged before anything is computed."""

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(reason)
        self.problem = Problem(result, reason)


class DkimResult(NamedTuple):
    """The verdict on one signature; two that are alike say the same of different messages.

    domain, identity: d= and i=, in A-labels and lower case as far as they could be read; "" otherwise.
    reason:     for people; what was wrong, or what the pass rests on.
    is_testing: the domain only tries DKIM (t=y): no result of it means anything (RFC 6376 §3.6.1).
    covers_all: False where l= leaves octets of the body unsigned.
    bits:       of the key; 0 without one.
    is_report:  the key is for TLS reports only, and the signature is right: good for one, and for nothing else.
    """

    result: Result
    reason: str
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    is_testing: bool = False
    covers_all: bool = True
    bits: int = 0
    is_report: bool = False
