"""mailboxid: the test mailboxidexists, and `:mailboxid`.

Spec: RFC 9042.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import STRING, STRINGS, Check, tag, test
from mailserver.sieve.run import Run

tag("mailboxid", STRING, of=("fileinto", "fcc"), capability="mailboxid")


@test("mailboxidexists", STRINGS, capability="mailboxid")
def mailboxidexists(args: Args) -> Check:
    """Mailboxes with all of these ids are there (RFC 9042 §5)."""
    ids = args.texts(0)

    def check(run: Run) -> bool:
        wanted = ids.get(run)
        run.spend(len(wanted))
        return all(id_ in run.environment.mailbox_ids for id_ in wanted)

    return check
