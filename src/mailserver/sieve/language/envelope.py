"""envelope: who sent the message to whom, as SMTP said.

Spec: RFC 5228 §5.4.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.header import Mailbox
from mailserver.sieve.matching import matcher
from mailserver.sieve.parts_of_addresses import part
from mailserver.sieve.registry import STRINGS, Check, test
from mailserver.sieve.run import Run

_PARTS = ("from", "to")


@test(
    "envelope",
    STRINGS,
    STRINGS,
    takes=("match", "comparator", "address-part"),
    capability="envelope",
)
def envelope(args: Args) -> Check:
    """The part that is asked for of the sender or the recipient matches; of the null sender, "" does."""
    names, of, match = args.texts(0), part(args), matcher(args, args.texts(1))
    for name in names.constant or ():
        if name.lower() not in _PARTS:
            raise args.error(f'an envelope has no "{name}", but "from" and "to"', args.place(0))

    def check(run: Run) -> bool:
        if not run.environment.has_envelope:
            raise RunError("there is no envelope: the message is in a mailbox already", args.line)
        texts = []
        for name in names.get(run):
            mailbox = _mailbox(run, name.lower())
            text = None if mailbox is None else of(run, mailbox)
            if text is not None:
                texts.append(text)
        return match(run, texts)

    return check


def _mailbox(run: Run, name: str) -> Mailbox | None:
    if name not in _PARTS:
        return None
    address = run.environment.sender if name == "from" else run.environment.recipient
    localpart, _, domain = address.rpartition("@")
    return Mailbox(address, localpart, domain)
