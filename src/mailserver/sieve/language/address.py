"""address: who stands in the address fields of a message.

Spec: RFC 5228 §2.7.4, §5.1.  Status: complete.
"""

from collections.abc import Callable

from mailserver.sieve.arguments import Args
from mailserver.sieve.fields import addresses, only_name
from mailserver.sieve.header import Header
from mailserver.sieve.matching import matcher
from mailserver.sieve.parts_of_addresses import part, whole
from mailserver.sieve.registry import STRINGS, Check, test
from mailserver.sieve.run import Run

#: fields that hold addresses; the test must not look at others (RFC 5228 §5.1)
FIELDS = frozenset(
    (
        *("from", "to", "cc", "bcc", "sender", "reply-to", "return-path"),
        *(
            "resent-from",
            "resent-to",
            "resent-cc",
            "resent-bcc",
            "resent-sender",
            "resent-reply-to",
        ),
        *(
            "delivered-to",
            "x-original-to",
            "envelope-to",
            "disposition-notification-to",
            "errors-to",
        ),
        *("return-receipt-to", "mail-followup-to", "mail-reply-to", "apparently-to", "approved-by"),
    )
)


@test("address", STRINGS, STRINGS, takes=("match", "comparator", "address-part", "fields", "mime"))
def address(args: Args) -> Check:
    """Of one of the addresses in these fields, the part that is asked for matches one of the keys.

    Fields of parts may be any (RFC 5703 §4.2).
    """
    for name, at in () if args.has("mime") else args.constants(0):
        if "${" not in name and name.lower() not in FIELDS and not name.lower().startswith("x-"):
            raise args.error(f'the field "{name}" holds no addresses', at)
    match, texts = matcher(args, args.texts(1)), _texts(args)

    def check(run: Run) -> bool:
        return match(run, texts(run))

    plain = _PLAIN.get(args.tag("address-part"))
    if plain is not None:
        args.compiler.known.note_keys(check, args, plain)
    return check


def _texts(args: Args) -> Callable[[Run], list[str]]:
    of = part(args)
    if of is whole and (only := only_name(args, 0)):
        return lambda run: run.message.header.wholes(only)
    found = addresses(args, 0)
    return lambda run: [text for m in found(run) if (text := of(run, m)) is not None]


def _localparts(header: Header, name: str) -> list[str]:
    return [mailbox.localpart for mailbox in header.mailboxes(name)]


def _domains(header: Header, name: str) -> list[str]:
    return [mailbox.domain for mailbox in header.mailboxes(name)]


#: parts that are the same in each run
_PLAIN = {
    "": Header.wholes,
    "all": Header.wholes,
    "localpart": _localparts,
    "domain": _domains,
}
