"""The message as a script sees and edits it: its header, and its parts, read when they are asked for.

Spec: RFC 5228 §2.4.2.2; RFC 5293 §3; RFC 5703 §5, §6.  Status: complete.
"""

import re
from collections.abc import Callable

from mailserver.mime.decode import Octets
from mailserver.mime.layout import Part
from mailserver.sieve.edited import Edited, Pieces, Span
from mailserver.sieve.header import Header, Mailbox
from mailserver.sieve.mime_part import MimePart, Writer

_ID = re.compile(r"<[!-;=?-~]{1,500}>")


class Message:
    """raw: all of it.      layout: gives its parts, when asked.      header: its header, if that was read before.

    is_edited: its header is no longer the one that came.
    """

    __slots__ = (
        "_before",
        "_header_size",
        "_is_enclosed",
        "_layout",
        "_made",
        "_root",
        "has_new_body",
        "header",
        "is_edited",
        "raw",
        "size",
    )

    def __init__(
        self,
        raw: Octets,
        header_size: int,
        size: int,
        layout: Callable[[], Part],
        header: Header | None = None,
    ) -> None:
        self.raw, self.size = raw, size
        self.header = Header.of(raw[:header_size]) if header is None else header
        self._layout, self._header_size = layout, header_size
        self._root: MimePart | None = None
        self._made: Edited | None = None
        self._before: Edited | None = None
        self._is_enclosed = False
        self.is_edited = False
        self.has_new_body = False

    @property
    def root(self) -> MimePart:
        """The message as the first of its parts."""
        if self._root is None:
            self._root = MimePart(self.raw, self._layout())
            self._root.header = self.header
        return self._root

    def values(self, name: str) -> list[str]:
        """The values of all fields with this name in lower case, decoded, without white space at their ends."""
        return self.header.values(name)

    def addresses(self, name: str) -> list[list[Mailbox]]:
        """Of each field with this name in lower case, in order, its mailboxes, those inside of groups among them."""
        return self.header.addresses(name)

    def ids(self, name: str) -> list[str]:
        """The message-ids in all fields with this name in lower case (RFC 5322 §3.6.4)."""
        return [id_ for value in self.values(name) for id_ in _ID.findall(value)]

    # editing (RFC 5293, RFC 5703)

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """(name as written, the field as it stands) of every field, in order."""
        return self.header.fields

    @fields.setter
    def fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        self.header, self.is_edited, self._made = Header(fields), True, None
        if self._root is not None:
            self._root.header = self.header

    def replace(self, part: MimePart, entity: bytes) -> None:
        """*part* is *entity*, a header and what follows it, from now on (RFC 5703 §5)."""
        part.become(entity)
        self.has_new_body, self._made = True, None
        if part is self.root:
            self.header, self.is_edited = part.header, True

    def enclose(self, wrapper: bytes, layout: Part) -> None:
        """What it was is the content of the last part of *wrapper* from now on, which is empty (RFC 5703 §6)."""
        if not self._is_enclosed:
            self._before, self._is_enclosed = self.edited(), True
        before, root = self.root, MimePart(wrapper, layout)
        before.is_new = self.is_edited
        root.inside[-1].hold(before)
        self._root, self.header = root, root.header
        self.is_edited = self.has_new_body = True
        self._made = None

    def body(self) -> Pieces:
        """What follows the header now."""
        if not self.has_new_body:
            layout = self.root.layout
            return (Span(layout.body_start, layout.end),)
        writer = Writer(self.raw)
        self.root.write_body(writer)
        return writer.pieces()

    def edited(self) -> Edited | None:
        """As it is now; None where it is as it came."""
        if not self.is_edited and not self.has_new_body:
            return None
        if self._made is None:
            header = self.header.block() if self.is_edited else self.raw[: self._header_size]
            self._made = Edited(header, self.body() if self.has_new_body else None)
        return self._made

    def sent_on(self) -> Edited | None:
        """As it is for those it is redirected to: what encloses it does not go with it (RFC 5703 §6)."""
        return self._before if self._is_enclosed else self.edited()
