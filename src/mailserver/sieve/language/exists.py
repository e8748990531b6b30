"""exists: whether a message has certain fields.

Spec: RFC 5228 §5.5.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import STRINGS, Check, test
from mailserver.sieve.run import Run


@test("exists", STRINGS, takes=("mime-fields",))
def exists(args: Args) -> Check:
    """It has all of them."""
    names = args.texts(0)

    def check(run: Run) -> bool:
        wanted = names.get(run)
        run.spend(len(wanted))
        return all(run.message.values(name.lower()) for name in wanted)

    return check
