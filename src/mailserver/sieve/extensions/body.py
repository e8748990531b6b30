"""body: what stands in a message.

Spec: RFC 5173.  Status: complete; of HTML, `:text` sees the source.
"""

from collections.abc import Callable, Iterator

from mailserver.mime import decode
from mailserver.mime.layout import Part
from mailserver.sieve.arguments import Args
from mailserver.sieve.matching import matcher
from mailserver.sieve.message import Message
from mailserver.sieve.mime_part import MimePart
from mailserver.sieve.registry import STRINGS, Check, tag, test
from mailserver.sieve.run import PIECE, Run
from mailserver.sieve.strings import Texts

for _name, _value in (("raw", None), ("text", None), ("content", STRINGS)):
    tag(_name, _value, of=("body",), group="transform", capability="body")


@test("body", STRINGS, takes=("match", "comparator"), capability="body")
def body(args: Args) -> Check:
    """A text of the body matches one of the keys; each part is a text of its own (RFC 5173 §4, §5).

    It sets no match variables (§6), and looks at no more than `SieveLimits.body_size` octets.
    """
    match = matcher(args, args.texts(0))
    texts = _texts(args)

    def check(run: Run) -> bool:
        if not _has_body(run.message):
            return False
        before = run.matches
        try:
            return any(match(run, (text,)) for text in texts(run))
        finally:
            run.matches = before

    return check


def _has_body(message: Message) -> bool:
    """Whether an empty line ends the header; without one no text matches, not even "" (RFC 5173 §4)."""
    if message.has_new_body:
        return True
    start = message.root.layout.body_start
    before = message.raw[max(0, start - 4) : start]
    return (
        start < message.size or before.endswith((b"\n\n", b"\n\r\n")) or before in (b"\n", b"\r\n")
    )


def _texts(args: Args) -> Callable[[Run], Iterator[str]]:
    types = args.tag_texts("content")
    if args.has("raw"):
        return _raw
    if types is not None:
        wanted = types
        return lambda run: _content(run, wanted)
    return lambda run: _content(run, Texts(("text",)))


def _raw(run: Run) -> Iterator[str]:
    """The body as it is, no encoding undone (RFC 5173 §5.1)."""
    out, left = [], run.limits.body_size
    for piece in run.message.body():
        if isinstance(piece, bytes):
            octets = piece[:left]
        else:
            octets = run.message.raw[piece.start : min(piece.end, piece.start + left)]
        out.append(octets)
        left -= len(octets)
    text = b"".join(out).decode(errors="replace")
    if text:
        run.spend(1 + len(text) // PIECE)
        yield text


def _content(run: Run, types: Texts) -> Iterator[str]:
    """The content of each part with one of *types*, decoded (RFC 5173 §5.2).

    Of a multipart what stands between its parts and around them, of a message in the message its header.
    """
    wanted = [_type(name) for name in types.get(run)]
    left = run.limits.body_size
    todo = [run.message.root]
    while todo and left > 0:
        part = todo.pop()
        todo += reversed(part.inside)
        if not any(is_wanted(part.layout) for is_wanted in wanted):
            continue
        text = _text(part, left)
        left -= len(text)
        run.spend(1 + len(text) // PIECE)
        yield text


def _text(part: MimePart, most: int) -> str:
    raw, layout, inside = part.source, part.layout, part.inside
    if layout.type == "message" and inside:
        (inner,) = inside
        return inner.header_block(most).decode(errors="replace")
    if inside:
        edges = [layout.body_start, *(at for each in inside for at in each.place)]
        pieces = zip(edges[::2], [*edges[1::2], layout.end], strict=True)
        return "".join(raw[a:b].decode(errors="replace") for a, b in pieces)[:most]
    pieces_of = decode.text(raw, layout) if layout.type == "text" else _octets(raw, layout)
    out, size = [], 0
    for piece in pieces_of:
        out.append(piece)
        size += len(piece)
        if size >= most:
            break
    return "".join(out)[:most]


def _octets(raw: decode.Octets, part: Part) -> Iterator[str]:
    for piece in decode.content(raw, part):
        yield piece.decode(errors="replace")


def _type(name: str) -> Callable[[Part], bool]:
    """Whether a part has the type that *name* means: "" is all, "text" all with it, "/x" and "x/" are none."""
    kind, slash, subtype = name.lower().partition("/")
    if not name:
        return lambda part: True
    if not slash:
        return lambda part: part.type == kind
    if not kind or not subtype or "/" in subtype:
        return lambda part: False
    return lambda part: (part.type, part.subtype) == (kind, subtype)
