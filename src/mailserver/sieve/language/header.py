"""header: what the fields of a message say.

Spec: RFC 5228 §5.7.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.fields import values
from mailserver.sieve.header import Header
from mailserver.sieve.matching import matcher
from mailserver.sieve.mime_fields import mime_values
from mailserver.sieve.registry import STRINGS, Check, test
from mailserver.sieve.run import Run


@test("header", STRINGS, STRINGS, takes=("match", "comparator", "fields", "mime", "mimeopt"))
def header(args: Args) -> Check:
    """A value of one of the fields matches one of the keys; encoded words are decoded before (§2.7.2)."""
    found, match = mime_values(args) or values(args, 0), matcher(args, args.texts(1))

    def check(run: Run) -> bool:
        return match(run, found(run))

    args.compiler.known.note_keys(check, args, Header.values)
    return check
