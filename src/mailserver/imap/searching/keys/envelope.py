"""Keys that look into the ENVELOPE: FROM, TO, CC, BCC and SUBJECT.

Spec: RFC 3501 §6.4.4.  Status: complete.

All are answered from stored columns; only a subject longer than its column is read from the header.  An empty string
asks whether there is such a field, as it does with HEADER.
"""

from collections.abc import Callable, Sequence

from mailserver.imap.parser import Parser
from mailserver.imap.registry import search_key
from mailserver.imap.searching.envelope import Place, address_text, cannot_have, runs, words_of
from mailserver.imap.searching.fold import fold
from mailserver.imap.searching.header import field_values
from mailserver.imap.searching.key import Key, Verdict
from mailserver.store.search import Sought

SUBJECT_SIZE = 1_000  # characters that `Derived.subject` keeps


def _string(p: Parser) -> bytes:
    return p.sp().astring()


def _addresses(place: Place) -> Callable[[str], Key]:
    """The key of one address field."""
    name = place.name.lower().encode()

    def key(needle: str) -> Key:
        if not needle:
            return Key(by_header=lambda block: bool(field_values(block, name)))
        words = words_of(needle)

        def test(envelopes: Sequence[bytes]) -> list[bool]:
            return [
                not cannot_have(envelope, words) and needle in address_text(envelope, place)
                for envelope in envelopes
            ]

        parts = runs(needle)
        where = (place.name.lower(),)
        sought = Sought(where, needle, parts=() if parts == (needle,) else parts) if parts else None
        return Key(columns=("envelope",), by_columns=test, sought=sought)

    return key


for _place in Place:
    search_key(_place.name, parse=_string)(_addresses(_place))


@search_key("SUBJECT", parse=_string)
def subject(needle: str) -> Key:
    """Messages with *needle* in the Subject field, the last if there are several (RFC 3501 §6.4.4, SUBJECT)."""
    if not needle:
        return Key(by_header=lambda block: bool(field_values(block, b"subject")))

    def in_column(subjects: Sequence[str]) -> list[Verdict]:
        return [
            needle in text or (None if len(text) >= SUBJECT_SIZE else False)
            for text in map(fold, subjects)
        ]

    def in_header(block: bytes) -> bool:
        return any(needle in value for value in field_values(block, b"subject")[-1:])

    sought = Sought(("subject",), needle)
    return Key(columns=("subject",), by_columns=in_column, by_header=in_header, sought=sought)
