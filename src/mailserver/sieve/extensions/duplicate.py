"""duplicate: was this message here before?

Spec: RFC 7352.  Status: complete.
"""

from hashlib import sha256

from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import NUMBER, STRING, Check, tag, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of

DEFAULT_S = 604_800  #: RFC 7352 §3.3: around 7 days
LONGEST_S = 2_592_000

tag("handle", STRING, of=("duplicate",), capability="duplicate")
tag("header", STRING, of=("duplicate",), group="id", capability="duplicate")
tag("uniqueid", STRING, of=("duplicate",), group="id", capability="duplicate")
tag("seconds", NUMBER, of=("duplicate",), capability="duplicate")
tag("last", of=("duplicate",), capability="duplicate")


@test("duplicate", capability="duplicate")
def duplicate(args: Args) -> Check:
    """Its id was seen by an earlier run within the time; without an id it is no duplicate (RFC 7352 §3)."""
    handle, header, unique = (args.tag_text(name) for name in ("handle", "header", "uniqueid"))
    given = args.tag_number("seconds")
    seconds = min(DEFAULT_S if given is None else given, LONGEST_S)
    renews = args.has("last")

    def check(run: Run) -> bool:
        run.spend(10)
        if unique is not None:
            id_ = value_of(unique, run)
        else:
            name = "message-id" if header is None else value_of(header, run).lower()
            values = run.message.values(name)
            if not values:
                return False
            id_ = values[0]
        if seconds == 0:
            return False
        named = "" if handle is None else value_of(handle, run)
        key = sha256(f"{named}\0{id_}".encode(errors="replace")).hexdigest()
        return run.environment.is_duplicate(key, seconds, renews)

    return check
