"""fcc: a copy of what a script sends, in a mailbox.

Spec: RFC 8580 §3.  Status: complete.
"""

from collections.abc import Callable

from mailserver.sieve.actions import FileInto
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.registry import STRING, tag
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of
from mailserver.sieve.tagged import flag_names

tag("fcc", STRING, of=("fcc",), capability="fcc")

_WITH_IT = ("flags", "create", "specialuse", "mailboxid")


def carbon_copy(args: Args) -> Callable[[Run], FileInto | None]:
    """Where the copy goes; None without `:fcc` (RFC 8580 §3).  Raises ScriptError."""
    mailbox = args.tag_text("fcc")
    if mailbox is None:
        for name in _WITH_IT:
            if args.has(name):
                raise args.error(f":{name} goes with :fcc only")
        return lambda run: None
    named, flags, line = mailbox, args.tag_texts("flags"), args.line
    use, id_, creates = args.tag_text("specialuse"), args.tag_text("mailboxid"), args.has("create")

    def copy(run: Run) -> FileInto:
        name = value_of(named, run)
        if not name or len(name) > 1_000 or any(char < " " for char in name):
            raise RunError(f"{name[:100]!r} is no name of a mailbox", line)
        return FileInto(
            mailbox=name,
            flags=None if flags is None else flag_names(flags.get(run)),
            creates=creates,
            special_use="" if use is None else value_of(use, run),
            mailbox_id="" if id_ is None else value_of(id_, run),
            line=line,
        )

    return copy
