"""special-use: the test specialuse_exists, and `:specialuse`.

Spec: RFC 8579.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.extensions.mailbox import is_there
from mailserver.sieve.registry import STRING, STRINGS, Check, tag, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of

tag("specialuse", STRING, of=("fileinto", "fcc"), capability="special-use")


@test("specialuse_exists", STRING, STRINGS, optional=0, capability="special-use")
def specialuse_exists(args: Args) -> Check:
    """All of these uses are there, or the one mailbox that is named has them all (RFC 8579 §3)."""
    mailbox = args.text(0) if args.is_given(0) else None
    uses = args.texts(1)

    def check(run: Run) -> bool:
        wanted = [use.lower() for use in uses.get(run)]
        run.spend(len(wanted))
        having = [run.environment.special_uses.get(use, frozenset()) for use in wanted]
        if mailbox is None:
            return all(having)
        name = value_of(mailbox, run)
        return is_there(run, name) and all(name in names for names in having)

    return check
