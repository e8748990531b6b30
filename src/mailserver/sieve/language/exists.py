"""exists: whether a message has certain fields.

Spec: RFC 5228 §5.5.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.fields import headers
from mailserver.sieve.registry import STRINGS, Check, test
from mailserver.sieve.run import Run


@test("exists", STRINGS, takes=("mime",))
def exists(args: Args) -> Check:
    """It has all of them; with `:mime :anychild`, one of the parts has (RFC 5703 §4.3)."""
    names, headers_of = args.texts(0), headers(args)

    def check(run: Run) -> bool:
        wanted = names.get(run)
        run.spend(len(wanted))
        if headers_of is None:
            return all(run.message.values(name.lower()) for name in wanted)
        return any(all(h.values(name.lower()) for name in wanted) for h in headers_of(run))

    return check
