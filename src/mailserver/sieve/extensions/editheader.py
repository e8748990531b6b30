"""editheader: addheader and deleteheader.

Spec: RFC 5293.  Status: complete.
"""

import re
from collections.abc import Callable

from mailserver.mime import compose
from mailserver.mime.headers import decode_words, unfold
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.fields import choice
from mailserver.sieve.matching import Match, matcher
from mailserver.sieve.registry import NUMBER, STRING, STRINGS, Step, command, tag
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Text, value_of

_NAME = re.compile(r"[!-9;-~]{1,76}")
#: what a script leaves alone: it tells where a message has been, what it is, and what was found of it, which we vouch
#: for when it is sent on (RFC 5293 §6; RFC 5703 §5; RFC 8617 §5.1)
_KEPT = frozenset(
    b"received auto-submitted return-path delivered-to original-subject original-from"
    b" authentication-results received-spf arc-seal arc-message-signature arc-authentication-results".split()
)

tag("last", of=("addheader", "deleteheader"), capability="editheader")
tag("index", NUMBER, of=("deleteheader",), capability="editheader")


@command("addheader", STRING, STRING, capability="editheader")
def addheader(args: Args) -> Step:
    """The field is there from here on, above all others or, with `:last`, below (RFC 5293 §4)."""
    name, value, line, is_last = _name(args), args.text(1), args.line, args.has("last")

    def run_addheader(run: Run) -> None:
        run.edits += 1
        if run.edits > run.limits.edits:
            raise RunError(f"a script may add {run.limits.edits} header fields", line)
        written = name(run)
        if written.lower().encode() in _KEPT:
            return
        text = value_of(value, run)[: run.limits.variable_size]
        run.spend(1 + len(text) // 100, line)
        field = (
            written.encode(),
            compose.field(written, compose.encode_text(compose.one_line(text))),
        )
        fields = run.message.fields
        run.message.fields = [*fields, field] if is_last else [field, *fields]

    return run_addheader


@command(
    "deleteheader",
    STRING,
    STRINGS,
    optional=1,
    takes=("match", "comparator"),
    capability="editheader",
)
def deleteheader(args: Args) -> Step:
    """The fields of this name are gone, or those of them whose value matches (RFC 5293 §5)."""
    name, chosen = _name(args), choice(args)
    match: Match | None = matcher(args, args.texts(1)) if args.is_given(1) else None

    def run_deleteheader(run: Run) -> None:
        wanted = name(run).lower().encode()
        if wanted in _KEPT:
            return
        fields = run.message.fields
        run.spend(1 + len(fields) // 10)
        places = [at for at, (written, _) in enumerate(fields) if written.lower() == wanted]
        gone = set(chosen(places) if chosen else places)
        if match is not None:
            gone = {at for at in gone if match(run, (_value(fields[at][1]),))}
        if gone:
            run.message.fields = [field for at, field in enumerate(fields) if at not in gone]

    return run_deleteheader


def _value(field: bytes) -> str:
    return decode_words(unfold(field[field.index(b":") + 1 :])).strip()


def _name(args: Args) -> Callable[[Run], str]:
    text: Text = args.text(0)
    line = args.line
    if isinstance(text, str) and not _NAME.fullmatch(text):
        raise args.error(f'"{text[:100]}" is no name of a header field', args.place(0))

    def name(run: Run) -> str:
        found = value_of(text, run)
        if not _NAME.fullmatch(found):
            raise RunError(f'"{found[:100]}" is no name of a header field', line)
        return found

    return name
