"""Whether the client's address has a name, and the name the address.

Spec: RFC 8601 §2.7.3, §3.  Status: complete.
"""

from mailserver.mta.check import Judged, Verdict, judge

NAME = "iprev"


@judge(NAME, order=60)
def iprev(judged: Judged) -> Verdict:
    """Never refuses: many honest servers have no proper name; it is told."""
    found = judged.found
    return Verdict(NAME, f"{found.iprev.result}: {found.iprev.reason}")
