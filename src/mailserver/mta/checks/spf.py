"""Whether the client may send mail for the domain of the envelope sender.

Spec: RFC 7208 §2.4, §8.  Status: complete.
"""

from mailserver.mta.check import Judged, Verdict, judge

NAME = "spf"


@judge(NAME, order=80)
def spf(judged: Judged) -> Verdict:
    """Refused where all recipients' domains want that for the result, unless DMARC passes."""
    found = judged.found
    return judged.follows(NAME, f"{found.spf.result}: {found.spf.reason}")
