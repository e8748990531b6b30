"""mboxmetadata and servermetadata: annotations of mailboxes and of the server.

Spec: RFC 5490 §3.3, §3.4, §4.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.matching import matcher
from mailserver.sieve.registry import STRING, STRINGS, Check, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of

_LOOK_UP = 50  # steps


@test(
    "metadata",
    STRING,
    STRING,
    STRINGS,
    takes=("match", "comparator"),
    capability="mboxmetadata",
)
def metadata(args: Args) -> Check:
    """The annotation of the mailbox is there and matches (RFC 5490 §3.3)."""
    mailbox, entry, match = args.text(0), args.text(1), matcher(args, args.texts(2))
    _warn(args, 1)

    def check(run: Run) -> bool:
        value = _value(run, value_of(mailbox, run), value_of(entry, run))
        return value is not None and match(run, (value,))

    return check


@test("metadataexists", STRING, STRINGS, capability="mboxmetadata")
def metadataexists(args: Args) -> Check:
    """All of these annotations of the mailbox are there (RFC 5490 §3.4)."""
    mailbox, entries = args.text(0), args.texts(1)
    _warn(args, 1)

    def check(run: Run) -> bool:
        name = value_of(mailbox, run)
        return all(_value(run, name, entry) is not None for entry in entries.get(run))

    return check


@test("servermetadata", STRING, STRINGS, takes=("match", "comparator"), capability="servermetadata")
def servermetadata(args: Args) -> Check:
    """The annotation of the server is there and matches (RFC 5490 §4.1)."""
    entry, match = args.text(0), matcher(args, args.texts(1))
    _warn(args, 0)

    def check(run: Run) -> bool:
        value = _value(run, "", value_of(entry, run))
        return value is not None and match(run, (value,))

    return check


@test("servermetadataexists", STRINGS, capability="servermetadata")
def servermetadataexists(args: Args) -> Check:
    """All of these annotations of the server are there (RFC 5490 §4.2)."""
    entries = args.texts(0)
    _warn(args, 0)

    def check(run: Run) -> bool:
        return all(_value(run, "", entry) is not None for entry in entries.get(run))

    return check


def _value(run: Run, mailbox: str, entry: str) -> str | None:
    run.spend(_LOOK_UP)
    return run.environment.annotation(mailbox, entry.lower())


def _warn(args: Args, index: int) -> None:
    for entry, at in args.constants(index):
        if "${" not in entry and not entry.lower().startswith(("/private/", "/shared/")):
            shown = f'"{entry}" is no annotation: they begin with /private/ or /shared/'
            args.compiler.warn(at, shown)
