"""Tags that several actions share: what each of them then gives.

Spec: RFC 5232 §5.  Status: complete.
"""

from collections.abc import Callable, Iterable

from mailserver.sieve.arguments import Args
from mailserver.sieve.run import Run


def flags(args: Args) -> Callable[[Run], tuple[str, ...] | None]:
    """The flags behind `:flags`, or else those of the internal variable; None where the script has none of both."""
    texts = args.tag_texts("flags")
    if texts is None:
        return lambda run: run.flags
    wanted = texts
    return lambda run: flag_names(wanted.get(run))


def flag_names(texts: Iterable[str]) -> tuple[str, ...]:
    """The flags in *texts*, parted by spaces, each once, what cannot be a flag left out (RFC 5232 §2)."""
    names = dict.fromkeys(name for text in texts for name in text.split())
    known: dict[str, str] = {}
    for name in names:
        if _is_flag(name):
            known.setdefault(name.lower(), name)
    return tuple(known.values())


def _is_flag(name: str) -> bool:
    """An atom, with or without a backslash, and not \\Recent (RFC 3501 §9, flag)."""
    rest = name.removeprefix("\\")
    return (
        0 < len(name) <= 200
        and rest != ""
        and name.lower() != "\\recent"
        and all("!" <= char <= "~" and char not in '(){%*"\\]' for char in rest)
    )
