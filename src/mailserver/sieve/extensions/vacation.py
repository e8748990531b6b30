"""vacation and vacation-seconds: an answer while somebody is away.

Spec: RFC 5230; RFC 6131; RFC 8580 §5.  Status: complete; whom it answers, and how often, the delivery decides.
"""

from hashlib import sha256

from mailserver.sieve.actions import Vacation
from mailserver.sieve.addresses import one_mailbox
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.extensions.fcc import carbon_copy
from mailserver.sieve.registry import NUMBER, STRING, STRINGS, Step, command, tag
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of

DAY_S = 86_400
DEFAULT_DAYS = 7  #: RFC 5230 §4.1
LONGEST_DAYS = 365

for _name, _value in (
    ("subject", STRING),
    ("from", STRING),
    ("addresses", STRINGS),
    ("mime", None),
    ("handle", STRING),
):
    tag(_name, _value, of=("vacation",), capability="vacation")
tag("days", NUMBER, of=("vacation",), group="period", capability="vacation")
tag("seconds", NUMBER, of=("vacation",), group="period", capability="vacation-seconds")


@command("vacation", STRING, takes=("fcc",), capability="vacation")
def vacation(args: Args) -> Step:
    """An answer with this text, if none was sent lately; once in a run (RFC 5230 §4)."""
    reason, line, is_mime = args.text(0), args.line, args.has("mime")
    subject, sender = args.tag_text("subject"), args.tag_text("from")
    addresses, handle = args.tag_texts("addresses"), args.tag_text("handle")
    seconds, carbon = _seconds(args), carbon_copy(args)
    if isinstance(sender, str) and one_mailbox(sender) is None:
        raise args.error(f':from "{sender[:100]}" is no address')

    def run_vacation(run: Run) -> None:
        if any(isinstance(action, Vacation) for action in run.actions):
            raise RunError("one answer is enough: vacation ran before", line)
        text = value_of(reason, run)
        about = "" if subject is None else value_of(subject, run)
        by = "" if sender is None else value_of(sender, run)
        others = () if addresses is None else addresses.get(run)
        named = _named(text, about, by, is_mime=is_mime)
        run.do(
            Vacation(
                reason=text,
                seconds=seconds,
                handle=named if handle is None else value_of(handle, run),
                subject=about,
                sender=by if one_mailbox(by) is not None else "",
                addresses=others[: run.limits.list_items],
                is_mime=is_mime,
                carbon=carbon(run),
                line=line,
            )
        )

    return run_vacation


def _seconds(args: Args) -> int:
    """The time for which one sender gets one answer; 0, with `:seconds 0`: each message has its own (RFC 6131 §2)."""
    seconds = args.tag_number("seconds")
    if seconds is not None:
        return min(seconds, LONGEST_DAYS * DAY_S)
    days = args.tag_number("days")
    return min(max(DEFAULT_DAYS if days is None else days, 1), LONGEST_DAYS) * DAY_S


def _named(reason: str, subject: str, sender: str, *, is_mime: bool) -> str:
    """The same answer has the same handle (RFC 5230 §4.2)."""
    parts = "\0".join((reason, subject, sender, str(is_mime)))
    return sha256(parts.encode(errors="replace")).hexdigest()[:32]
