"""What is remembered of answers, in bounded memory; what was asked for longest ago goes first.

Spec: RFC 2308 §5; RFC 9520 §3.2.  Status: complete.
"""

from typing import NamedTuple

from dns.rdatatype import RdataType

from mailserver.mailauth.resolver import LookupFailed, Trouble
from mailserver.net.dns_records import Value, cost

Question = tuple[str, RdataType]  #: a name in lower case without a dot at its end, and a type

_ENTRY = 500  #: octets of an entry besides what its records say
_VALUE = 150  #: the same of a record


class Known(NamedTuple):
    """The end of a look-up.

    values:     none: `failure` and `text` say why.
    ttl:        seconds from when it was found.
    expires_at: on the loop's clock, once it is remembered.
    name:       what the name that was asked for is an alias of, lower case; "" where it is none.
    """

    values: tuple[Value, ...]
    failure: type[LookupFailed] | None
    text: str
    is_authentic: bool
    ttl: float
    expires_at: float = 0.0
    name: str = ""

    def error(self, left_s: int) -> LookupFailed:
        """A new one each time: an exception that is raised again keeps all its tracebacks.

        left_s: seconds that it still holds.
        """
        failure = self.failure or LookupFailed
        ttl = 0 if issubclass(failure, Trouble) else left_s  # nobody knows: that holds for nothing
        return failure(self.text, is_authentic=self.is_authentic, ttl=ttl)


class Cache:
    """Answers by question.  octets: about what they take."""

    def __init__(self, entries: int, size: int) -> None:
        self._entries = entries
        self._size = size
        self._known: dict[Question, Known] = {}
        self.octets = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, question: Question, now: float) -> Known | None:
        """What is known of *question*, if it still holds."""
        known = self._known.get(question)
        if known is None:
            return None
        if known.expires_at <= now:
            self._forget(question)
            return None
        del self._known[question]  # to the end of the line
        self._known[question] = known
        return known

    def keep(self, question: Question, known: Known) -> None:
        """Remembers *known* in place of what was known before; an answer too large for all memory is not."""
        if question in self._known:
            self._forget(question)
        weight = _weight(question, known)
        if weight > self._size:
            return
        while self._known and (
            len(self._known) >= self._entries or self.octets + weight > self._size
        ):
            self._forget(next(iter(self._known)))
        self._known[question] = known
        self.octets += weight

    def _forget(self, question: Question) -> None:
        self.octets -= _weight(question, self._known.pop(question))


def _weight(question: Question, known: Known) -> int:
    own = _ENTRY + len(question[0]) + len(known.text)
    return own + sum(_VALUE + cost(value) for value in known.values)
