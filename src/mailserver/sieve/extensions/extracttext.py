"""extracttext: the text of a part as a variable.

Spec: RFC 5703 §7.  Status: complete; of HTML, it is the source.
"""

import codecs

from mailserver.mime import decode
from mailserver.mime.charsets import codec_for
from mailserver.sieve.arguments import Args
from mailserver.sieve.extensions.variables import modified, store
from mailserver.sieve.mime_part import MimePart
from mailserver.sieve.registry import NUMBER, STRING, Step, command, tag
from mailserver.sieve.run import PIECE, Run
from mailserver.sieve.strings import NAME

_ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})

tag("first", NUMBER, of=("extracttext",), capability="extracttext")


@command("extracttext", STRING, takes=("modifier",), capability="extracttext")
def extracttext(args: Args) -> Step:
    """The variable has the decoded content of the part that `foreverypart` has come to, or its first characters.

    Of a multipart, or of what cannot be read, it is empty.  Raises ScriptError outside of a loop.
    """
    args.compiler.need("variables", '"extracttext"', args.at)
    if not args.compiler.loops:
        raise args.error('"extracttext" stands in no foreverypart')
    name, line, change = args.constant(0).lower(), args.line, modified(args)
    if not NAME.fullmatch(name):
        raise args.error(f'"{name}" is no name of a variable', args.place(0))
    first = args.tag_number("first")

    def run_extracttext(run: Run) -> None:
        most = run.limits.variable_size if first is None else min(first, run.limits.variable_size)
        text = "" if run.part is None else _text(run, run.part, most, line)
        store(run, name, change(text), line)

    return run_extracttext


def _text(run: Run, part: MimePart, most: int, line: int) -> str:
    """Its first *most* characters; "" where encoding or charset are unknown, or the text is not what they say."""
    layout = part.layout
    codec = codec_for(layout.charset) if layout.charset else "utf-8"
    if part.inside or layout.type == "multipart" or layout.encoding not in _ENCODINGS or not codec:
        return ""
    decoder = codecs.getincrementaldecoder("utf-8" if codec == "ascii" else codec)("strict")
    out, size, left = [], 0, run.limits.body_size
    try:
        for octets in decode.content(part.source, layout):
            run.spend(1 + len(octets) // PIECE, line)
            out.append(decoder.decode(octets[:left]))
            size, left = size + len(out[-1]), left - len(octets)
            if size >= most or left <= 0:
                break
        else:
            out.append(decoder.decode(b"", True))
    except UnicodeError:
        return ""
    return "".join(out)[:most]
