"""mailbox: the test mailboxexists, and `:create`.

Spec: RFC 5490 §3.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import STRINGS, Check, tag, test
from mailserver.sieve.run import Run

tag("create", of=("fileinto", "fcc"), capability="mailbox")


@test("mailboxexists", STRINGS, capability="mailbox")
def mailboxexists(args: Args) -> Check:
    """All of them are there and can be delivered into (RFC 5490 §3.1)."""
    names = args.texts(0)

    def check(run: Run) -> bool:
        wanted = names.get(run)
        run.spend(len(wanted))
        return all(is_there(run, name) for name in wanted)

    return check


def is_there(run: Run, name: str) -> bool:
    """Whether a mailbox of this name can be delivered into; INBOX in any case (RFC 3501 §5.1)."""
    return ("INBOX" if name.upper() == "INBOX" else name) in run.environment.mailboxes
