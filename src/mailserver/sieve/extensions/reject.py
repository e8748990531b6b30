"""reject and ereject: the message is refused.

Spec: RFC 5429.  Status: complete.
"""

from mailserver.sieve.actions import Reject
from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import STRING, Step, command
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of


@command("reject", STRING, capability="reject")
def reject(args: Args) -> Step:
    """Refused, with the reason to the sender in the way that suits its text best (RFC 5429 §2.2)."""
    return _refuse(args, at_smtp=False)


@command("ereject", STRING, capability="ereject")
def ereject(args: Args) -> Step:
    """Refused in the SMTP reply wherever that is possible (RFC 5429 §2.1)."""
    return _refuse(args, at_smtp=True)


def _refuse(args: Args, *, at_smtp: bool) -> Step:
    reason, line = args.text(0), args.line

    def run_reject(run: Run) -> None:
        run.keeps = False
        run.do(Reject(reason=value_of(reason, run), at_smtp=at_smtp, line=line))

    return run_reject
