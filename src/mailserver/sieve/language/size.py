"""size: how large a message is.

Spec: RFC 5228 §5.9.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import NUMBER, Check, tag, test

for _name in ("over", "under"):
    tag(_name, NUMBER, of=("size",), group="size")


@test("size")
def size(args: Args) -> Check:
    """More octets than the number, or fewer; exactly as many is neither."""
    over, under = args.tag_number("over"), args.tag_number("under")
    if over is not None:
        most = over
        return lambda run: run.message.size > most
    if under is not None:
        least = under
        return lambda run: run.message.size < least
    raise args.error('"size" needs :over or :under with a number')
