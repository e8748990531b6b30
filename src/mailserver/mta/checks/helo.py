"""Whether the client may call itself what it does.

Spec: RFC 7208 §2.3.  Status: complete.
"""

from mailserver.mta.check import Judged, Verdict, judge

NAME = "helo"


@judge(NAME, order=70)
def helo(judged: Judged) -> Verdict:
    """Never refuses: SPF of the name in EHLO; it is told, and counts as the sender's where that is null."""
    found = judged.found
    return Verdict(NAME, f"{found.helo.result}: {found.helo.reason}")
