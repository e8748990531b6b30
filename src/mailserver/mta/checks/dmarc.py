"""Whether the domain in From stands behind the message, and what its owner wants if not.

Spec: RFC 9989 §5.3, §5.4.  Status: complete.
"""

from mailserver.mta.check import Judged, Verdict, judge

NAME = "dmarc"


@judge(NAME, order=110)
def dmarc(judged: Judged) -> Verdict:
    """Refused where its owner and all recipients' domains want that, unless somebody trusted has passed it on."""
    found = judged.found
    domain = f" for {found.dmarc.domain}" if found.dmarc.domain else ""
    return judged.follows(NAME, f"{found.dmarc.result}{domain}: {found.dmarc.reason}")
