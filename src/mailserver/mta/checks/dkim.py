"""Which domains have signed the message, and whether it is what they signed.

Spec: RFC 6376 §6.1, §6.3.  Status: complete.
"""

from mailserver.mta.check import Judged, Verdict, judge

NAME = "dkim"


@judge(NAME, order=90)
def dkim(judged: Judged) -> Verdict:
    """Never refuses: a broken signature is as good as none (RFC 6376 §6.3)."""
    found = judged.found
    said = [
        f"{one.result}: {one.domain} {one.selector}{', only a test' if one.is_testing else ''} ({one.reason})"
        for one in found.dkim
    ]
    return Verdict(NAME, "; ".join(said) or "none: not signed")
