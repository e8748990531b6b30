"""What tests with `:mime` read in Content-Type, Content-Disposition and other fields with parameters.

Spec: RFC 5703 §4.1; RFC 2231 §3, §4.  Status: complete.
"""

from collections.abc import Callable

from mailserver.mime.headers import decode_words
from mailserver.mime.parameters import Value, parse_content_type, parse_disposition, parse_params
from mailserver.sieve.arguments import Args
from mailserver.sieve.fields import parameters
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Texts

#: parameters that are read of one field
_MOST = 100


def mime_values(args: Args) -> Callable[[Run], list[str]] | None:
    """What the option behind `:mime` reads of the fields; None without one.  Raises ScriptError."""
    option = args.tag("mimeopt")
    if not option:
        return None
    if option == "param":
        names = args.tag_texts("param")
        assert names is not None  # the tag has a value
        return _parameters(args, names)
    return parameters(args, 0, _WORDS[option])


def _parameters(args: Args, names: Texts) -> Callable[[Run], list[str]]:
    """The values of the parameters that are there; `:count` counts them."""

    def read(run: Run, field: str, value: bytes) -> list[str]:
        wanted = {name.lower().encode(errors="replace"): None for name in names.get(run)}
        parsed = _parsed(field, value)
        there = {key.lower().removesuffix(b"*") for key, _ in parsed.params}
        run.spend(len(wanted))
        return [_text(parsed, name) for name in wanted if name in there]

    return parameters(args, 0, read)


def _text(value: Value, name: bytes) -> str:
    """Encoded words are undone, too: many programs write them there (RFC 5703 §4.1)."""
    text = value.text(name)
    return decode_words(text.encode(errors="replace")) if "=?" in text else text


def _parsed(field: str, value: bytes) -> Value:
    if field == "content-type":
        return parse_content_type(value, _MOST)
    if field == "content-disposition":
        return parse_disposition(value, _MOST)
    return Value(b"", b"", parse_params(value, max(0, value.find(b";")), _MOST))


def _type(run: Run, field: str, value: bytes) -> list[str]:
    parsed = _parsed(field, value)
    return [_word(parsed.type)] if parsed.type or not _is_structured(field) else []


def _subtype(run: Run, field: str, value: bytes) -> list[str]:
    parsed = _parsed(field, value)
    return [_word(parsed.subtype)] if parsed.type or not _is_structured(field) else []


def _content_type(run: Run, field: str, value: bytes) -> list[str]:
    parsed = _parsed(field, value)
    if field != "content-type":
        return _type(run, field, value)
    return [f"{_word(parsed.type)}/{_word(parsed.subtype)}"] if parsed.type else []


def _word(value: bytes) -> str:
    return value.decode("ascii", "replace")


def _is_structured(field: str) -> bool:
    """Whether the options read something in it; of others they make a blank string."""
    return field in ("content-type", "content-disposition")


_WORDS: dict[str, Callable[[Run, str, bytes], list[str]]] = {
    "type": _type,
    "subtype": _subtype,
    "contenttype": _content_type,
}
