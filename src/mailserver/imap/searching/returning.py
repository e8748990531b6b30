"""What a search is asked to return, and what it therefore says and saves.

Spec: RFC 4731 §3.1; RFC 9051 §6.4.4, §6.4.4.1; RFC 5182 §2.1, §2.4; RFC 5267 §3.1, §4; RFC 9394 §3.1, §3.2;
RFC 6203 §4; RFC 5465 §7.  Status: complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailserver.imap.fetching.plan import Plan, parse_items
from mailserver.imap.parser import Parser
from mailserver.imap.partial import Partial, parse_partial

#: options without arguments
OPTIONS: Final = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE", "CONTEXT", "UPDATE", "RELEVANCY"})


@dataclass(frozen=True, slots=True)
class Returning:
    """Result options.

    wants:    those of OPTIONS that were given.
    fetches:  what UPDATE shall tell of new messages that come into the result, None for nothing (RFC 5465 §7).
    """

    wants: frozenset[str]
    partial: Partial | None = None
    fetches: Plan | None = None

    @property
    def is_silent(self) -> bool:
        """Nothing is to be said about the results (RFC 5182 §1)."""
        return self.wants == {"SAVE"} and self.partial is None

    @property
    def saves(self) -> bool:
        """ "$" is to stand for the result from now on."""
        return "SAVE" in self.wants

    @property
    def updates(self) -> bool:
        """The client wants to hear how the result changes (RFC 5267 §4.3)."""
        return "UPDATE" in self.wants

    def saved(self, found: Sequence[int]) -> Sequence[int]:
        """Those of the messages *found*, in their order, that "$" stands for from now on, in any order.

        RFC 5182 §2.4, RFC 9394 §3.2: all of them, unless the client asked for particular ones alone.
        """
        is_particular = self.partial is not None or not self.wants.isdisjoint({"MIN", "MAX"})
        if not is_particular or not self.wants.isdisjoint({"ALL", "COUNT"}):
            return found
        return list(self.particular(found))

    def particular(self, found: Sequence[int]) -> set[int]:
        """Those of *found* that MIN, MAX and PARTIAL name."""
        out = set(self.partial.cut(found)) if self.partial else set()
        if found and "MIN" in self.wants:
            out.add(found[0])
        if found and "MAX" in self.wants:
            out.add(found[-1])
        return out

    def with_modseq(self, found: Sequence[int]) -> Sequence[int]:
        """The messages whose highest modseq goes with the answer (RFC 4731 §3.2)."""
        if self.wants.isdisjoint({"ALL", "COUNT"}) and (
            self.partial or not self.wants.isdisjoint({"MIN", "MAX"})
        ):
            return list(self.particular(found))
        return found


#: what a search without result options means where its answer is an ESEARCH response
EVERYTHING: Final = Returning(frozenset({"ALL"}))


def parse_returning(p: Parser) -> Returning | None:
    """[ "RETURN" SP "(" [option *(SP option)] ")" SP ]; None where there is none (RFC 9051 §9, search-return-opts).

    An empty list asks for ALL (RFC 4731 §3.1).  What is not known here is an error (RFC 9051 §6.4.4), and so are two
    lists of results in one answer (RFC 9394 §3.1).
    """
    if not p.accept(b"RETURN "):
        return None
    wants: set[str] = set()
    partial: list[Partial] = []
    fetches: list[Plan] = []

    def option(p: Parser) -> None:
        name = p.word()
        if name == "PARTIAL":
            partial.append(parse_partial(p.sp()))
        elif name in OPTIONS:
            wants.add(name)
            if name == "UPDATE" and p.peek(b" ("):
                fetches.append(parse_items(p.sp()))
        else:
            raise p.error("unknown result option")

    is_empty = not p.group(option, empty=True)
    if len(partial) + ("ALL" in wants) > 1:
        raise p.error("PARTIAL goes with neither ALL nor another PARTIAL")
    p.sp()
    if is_empty:
        return EVERYTHING
    return Returning(
        frozenset(wants), partial[0] if partial else None, fetches[-1] if fetches else None
    )
