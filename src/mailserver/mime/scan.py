"""What the store keeps beside a message: all that FETCH, SEARCH, SORT and THREAD want to know, from one scan.

Spec: RFC 3501 §7.4.2; RFC 5256 §2, §3.  Status: complete.
"""

from mailserver.base.limits import MimeLimits
from mailserver.mime.addresses import MISSING_MAILBOX, Address
from mailserver.mime.charsets import decode_text, one_line
from mailserver.mime.dates import parse_date
from mailserver.mime.derived import Derived, Head
from mailserver.mime.entity import Entity, Fields
from mailserver.mime.envelope import address_lists, envelope, last
from mailserver.mime.headers import decode_words
from mailserver.mime.layout import Part, pack
from mailserver.mime.parts import Raw, head, scan
from mailserver.mime.structure import structures
from mailserver.mime.subjects import base_subject
from mailserver.mime.threads import ancestry, message_ids, thread_keys

DEFAULT = MimeLimits()
_SUBJECT = 1_000  # characters kept
_SUBJECT_OCTETS = 20_000  # looked at for them
_FILENAME = 255


def derive(raw: Raw, limits: MimeLimits = DEFAULT) -> Derived:
    """Everything that is stored beside the message; never raises on content."""
    root = scan(raw, limits)
    fields = root.fields
    lists = address_lists(fields, limits.addresses)
    body, bodystructure = structures(root, limits)
    when = parse_date(fields[b"date"][-1]) if b"date" in fields else None
    subject = _subject(fields)
    base = base_subject(subject)
    own = _own_id(fields)
    replied, references = fields.get(b"in-reply-to", []), fields.get(b"references", [])
    return Derived(
        envelope=envelope(fields, lists),
        body=body,
        bodystructure=bodystructure,
        layout=pack(layout(root, limits)),
        header_size=root.body_start,
        sent_at=None if when is None else when.at,
        sent_day=None if when is None else when.day,
        subject=subject,
        base_subject=base,
        sort_from=_first_mailbox(lists.get(b"from")),
        sort_to=_first_mailbox(lists.get(b"to")),
        sort_cc=_first_mailbox(lists.get(b"cc")),
        message_id=_text(own),
        thread_keys=thread_keys(own, replied, references, base),
        ancestry=ancestry(own, replied, references),
        hops=len(fields.get(b"received", ())),
    )


def derive_head(raw: Raw, limits: MimeLimits = DEFAULT) -> Head:
    """The same of the header alone, for what is not kept here; never raises on content."""
    body_start, fields = head(raw, limits)
    return Head(
        header_size=body_start,
        subject=_subject(fields),
        message_id=_text(_own_id(fields)),
        hops=len(fields.get(b"received", ())),
    )


def derive_ancestry(header: Raw, limits: MimeLimits = DEFAULT) -> bytes:
    """`Derived.ancestry` of a header, for messages that were stored without it; never raises on content."""
    _, fields = head(header, limits)
    replied, references = fields.get(b"in-reply-to", []), fields.get(b"references", [])
    return ancestry(_own_id(fields), replied, references)


def _subject(fields: Fields) -> str:
    raw = last(fields, b"subject")
    return decode_words(raw[:_SUBJECT_OCTETS])[:_SUBJECT] if raw else ""


def _own_id(fields: Fields) -> list[bytes]:
    return message_ids(fields[b"message-id"][-1], 1) if b"message-id" in fields else []


def _text(own: list[bytes]) -> str:
    return own[0].decode("utf-8", "replace") if own else ""


def layout(root: Entity, limits: MimeLimits = DEFAULT) -> Part:
    """The scanned tree as values."""
    if not root.children and root.message is None:
        return _part(root, (), None, limits)
    order: list[Entity] = []
    todo = [root]
    while todo:
        entity = todo.pop()
        order.append(entity)
        todo.extend(entity.children)
        if entity.message is not None:
            todo.append(entity.message)
    made: dict[int, Part] = {}
    for entity in reversed(order):  # children before their parents
        children = tuple([made.pop(id(child)) for child in entity.children])
        message = made.pop(id(entity.message)) if entity.message is not None else None
        made[id(entity)] = _part(entity, children, message, limits)
    return made[id(root)]


def _part(
    entity: Entity, children: tuple[Part, ...], message: Part | None, limits: MimeLimits
) -> Part:
    disposition, filename = "", ""
    if b"content-disposition" in entity.fields:
        value = entity.disposition(limits.parameters)
        disposition = _word(value.type)
        filename = value.text(b"filename")
    content = entity.content
    filename = filename or content.text(b"name")
    filename = decode_words(filename.encode()) if "=?" in filename else one_line(filename)
    main, _, sub = entity.kind.partition(b"/")
    return Part(
        _word(main),
        _word(sub),
        entity.header_start,
        entity.body_start,
        entity.end,
        entity.lines,
        _word(entity.encoding()),
        one_line(content.text(b"charset"))[:80].lower(),
        disposition,
        filename[:_FILENAME],
        children,
        message,
    )


def _word(value: bytes) -> str:
    return value[:80].decode("ascii", "replace").lower()


def _first_mailbox(addresses: list[Address] | None) -> str:
    """addr-mailbox of the first address, its case folded (RFC 5256 §3): where that begins a group, the group's name."""
    mailbox = addresses[0].mailbox if addresses else None
    if mailbox is None or mailbox == MISSING_MAILBOX:
        return ""
    return decode_text(mailbox, "").casefold()[:_FILENAME]
