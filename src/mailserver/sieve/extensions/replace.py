"""replace: another part in the place of one, or of the whole message.

Spec: RFC 5703 §5.  Status: complete.
"""

from mailserver.mime import compose
from mailserver.mime.headers import split_fields
from mailserver.sieve import making
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.mime_part import MimePart
from mailserver.sieve.registry import STRING, Step, command, tag
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of

Fields = list[tuple[bytes, bytes]]

tag("mime", of=("replace",), capability="replace")
tag("subject", STRING, of=("replace",), capability="replace")
tag("from", STRING, of=("replace",), capability="replace")


@command("replace", STRING, capability="replace")
def replace(args: Args) -> Step:
    """The part that `foreverypart` has come to, outside of it the message, has this text from here on.

    A message keeps the fields that do not tell of its parts.  Raises ScriptError, or RunError for a text that would
    end the multipart around it.
    """
    text, line, is_mime = args.text(0), args.line, args.has("mime")
    if is_mime and (args.has("subject") or args.has("from")):
        raise args.error(":mime brings the whole part: :subject and :from do not go with it")
    subject, sender = args.tag_text("subject"), args.tag_text("from")
    if isinstance(sender, str) and not making.address_list(sender):
        raise args.error(f':from "{sender[:100]}" is no address')

    def run_replace(run: Run) -> None:
        part = run.message.root if run.part is None else run.part
        new = value_of(text, run)
        run.change(len(new.encode(errors="replace")), line)
        run.spend(1 + len(new) // 64, line)
        fields, body = making.entity(new) if is_mime else making.text(new)
        if is_mime:
            _check(part, body, line)
        if part.is_message:
            fields = _kept(part, fields)
        if part is run.message.root:
            body = body if body.endswith(b"\n") else body + b"\r\n"
            if subject is not None:
                about = compose.encode_text(value_of(subject, run))
                fields = _changed(fields, "Subject", about)
            by = "" if sender is None else making.address_list(value_of(sender, run))
            if by:
                fields = _changed(fields, "From", by)
        head = b"".join(field for _, field in fields)
        run.message.replace(part, head + b"\r\n" + body)

    return run_replace


def _check(part: MimePart, body: bytes, line: int) -> None:
    for boundary in part.boundaries():
        if body.startswith(b"--" + boundary) or b"\n--" + boundary in body:
            raise RunError("what replaces the part holds the boundary of the one around it", line)


def _kept(part: MimePart, new: Fields) -> Fields:
    """The fields of a message that stay, and those of the content, of *new*."""
    stay = [field for field in part.header.fields if not making.is_of_content(field[0])]
    stay = [(name, field if field.endswith(b"\n") else field + b"\r\n") for name, field in stay]
    version = (b"MIME-Version", compose.field("MIME-Version", "1.0"))
    return [*stay, version, *(f for f in new if f[0].lower().startswith(b"content-"))]


def _changed(fields: Fields, name: str, value: str) -> Fields:
    """The field has the *value*; what it had before is kept as Original-... (RFC 5703 §5)."""
    own = name.lower().encode()
    out: Fields = []
    for written, field in fields:
        if written.lower() == own:
            rest = field[field.index(b":") :]
            out.append((b"Original-" + name.encode(), b"Original-" + name.encode() + rest))
        else:
            out.append((written, field))
    (new,) = split_fields(compose.field(name, value))
    return [*out, new]
