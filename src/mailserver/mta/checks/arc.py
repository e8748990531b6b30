"""Who has passed the message on, and whether their chain of seals holds.

Spec: RFC 8617 §5.2, §8.1.  Status: complete.
"""

from mailserver.mta.check import Judged, Verdict, judge

NAME = "arc"


@judge(NAME, order=100)
def arc(judged: Judged) -> Verdict:
    """Never refuses: a broken chain is as good as none; what trusted sealers say counts for DMARC."""
    found = judged.found
    return Verdict(NAME, f"{found.arc.result}: {found.arc.reason}")
