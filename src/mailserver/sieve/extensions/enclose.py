"""enclose: the message as an attachment of a new one.

Spec: RFC 5703 §6, §11.  Status: complete.
"""

from email.utils import format_datetime
from hashlib import sha256

from mailserver.mime import compose
from mailserver.mime.layout import Part
from mailserver.sieve import making
from mailserver.sieve.arguments import Args
from mailserver.sieve.edited import Edited
from mailserver.sieve.mime_part import MimePart
from mailserver.sieve.registry import STRING, STRINGS, Step, command, tag
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Text, Texts, value_of

#: octets of a message that are looked through for one step
_CHEAP = 4_096

tag("subject", STRING, of=("enclose",), capability="enclose")
tag("headers", STRINGS, of=("enclose",), capability="enclose")


@command("enclose", STRING, capability="enclose")
def enclose(args: Args) -> Step:
    """The message is a new one from here on: this text, and the one it was, octet for octet.

    Redirects send what it was before.
    """
    text, line = args.text(0), args.line
    subject, copied = args.tag_text("subject"), args.tag_texts("headers")

    def run_enclose(run: Run) -> None:
        new = value_of(text, run)
        run.change(len(new.encode(errors="replace")), line)
        run.spend(1 + len(new) // 64 + run.message.size // _CHEAP, line)
        fields, content = making.text(new)
        part = b"".join(field for _, field in fields) + b"\r\n" + content
        boundary = _boundary(run, part)
        head = _header(run, subject, copied, boundary)
        run.message.enclose(*_wrapped(head, part, boundary))

    return run_enclose


def _wrapped(head: bytes, text: bytes, boundary: bytes) -> tuple[bytes, Part]:
    """A message whose last part is an empty message/rfc822, and its layout."""
    before = head + b"--" + boundary + b"\r\n"
    between = b"\r\n--" + boundary + b"\r\n"
    holder = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    whole = before + text + between + holder
    inner = MimePart.of(text).layout
    at, end = len(before), len(whole)
    moved = inner._replace(header_start=at, body_start=at + inner.body_start, end=at + inner.end)
    held = Part("message", "rfc822", end - len(holder), end, end)
    whole += b"\r\n--" + boundary + b"--\r\n"
    return whole, Part("multipart", "mixed", 0, len(head), len(whole), children=(moved, held))


def _header(run: Run, subject: Text | None, copied: Texts | None, boundary: bytes) -> bytes:
    """The fields asked for, as they stand; who and when, where they are not among them."""
    environment, message = run.environment, run.message
    wanted = set() if copied is None else {name.lower() for name in copied.get(run)}
    if subject is not None:
        wanted.discard("subject")
    kept = [
        (name.decode("latin-1").lower(), field)
        for name, field in message.fields
        if name.decode("latin-1").lower() in wanted and not making.is_of_content(name)
    ]
    there = {name for name, _ in kept}
    out = [field if field.endswith(b"\n") else field + b"\r\n" for _, field in kept]
    about = (message.values("subject") or [""])[0] if subject is None else value_of(subject, run)
    domain = environment.recipient.rpartition("@")[2] or "localhost"
    for name, value in (
        ("From", environment.recipient or f"postmaster@{domain}"),
        ("Subject", compose.encode_text(about)),
        ("Date", format_datetime(environment.now)),
        ("Message-ID", f"<{boundary.decode().strip('=_')}.enclosed@{domain}>"),
    ):
        if name.lower() not in there and value:
            out.append(compose.field(name, value))
    out.append(compose.field("MIME-Version", "1.0"))
    out.append(compose.field("Content-Type", f'multipart/mixed; boundary="{boundary.decode()}"'))
    out.append(compose.field("Content-Transfer-Encoding", "8bit"))
    return b"".join(out) + b"\r\n"


def _boundary(run: Run, text: bytes) -> bytes:
    """One that occurs nowhere in what it stands between (RFC 2046 §5.1.1)."""
    message, now = run.message, run.environment.now
    seed = f"{now.isoformat()} {run.environment.recipient} {message.size} {run.changes}"
    ids = "".join(message.values("message-id")[:1])
    boundary = b"=_" + sha256(f"{seed} {ids}".encode(errors="replace")).hexdigest()[:32].encode()
    while boundary in text or _occurs(run, boundary):
        boundary += b"_"
    return boundary


def _occurs(run: Run, octets: bytes) -> bool:
    """Whether the message has these *octets* somewhere."""
    message, end = run.message, b""
    whole = Edited(message.header.block(), message.body())
    for piece in whole.pieces(0, 0):
        found = piece if isinstance(piece, bytes) else message.raw[piece.start : piece.end]
        if octets in end + found:
            return True
        end = (end + found)[-len(octets) :]
    return False
