"""keep and discard.

Spec: RFC 5228 §4.3, §4.4.  Status: complete.
"""

from mailserver.sieve.actions import Discard, Keep
from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import Step, command
from mailserver.sieve.run import Run
from mailserver.sieve.tagged import flags


@command("keep", takes=("flags",))
def keep(args: Args) -> Step:
    """Into the default mailbox."""
    wanted, line = flags(args), args.line

    def run_keep(run: Run) -> None:
        run.keeps = False
        run.do(Keep(flags=wanted(run), line=line, edited=run.message.edited()))

    return run_keep


@command("discard")
def discard(args: Args) -> Step:
    """Nowhere, unless another action says where."""
    line = args.line

    def run_discard(run: Run) -> None:
        run.keeps = False
        run.do(Discard(line=line))

    return run_discard
