"""How relevant the messages are that a fuzzy search has found.

Spec: RFC 6203 §4, §6.  Status: complete.

Of each text that was looked for, a message has the text as it was written, all its words, or their beginnings only; a
score is the mean over all texts.
"""

from array import array
from collections.abc import Generator, Sequence
from typing import Any, Final

from mailserver.base.errors import PeerError
from mailserver.imap.conversation import Effect
from mailserver.imap.searching.program import Program
from mailserver.imap.searching.returning import Returning
from mailserver.imap.searching.run import Scope, find
from mailserver.imap.sorting.criteria import RELEVANCY, Criteria

BEST: Final = 100  #: the text as it was written
GOOD: Final = 60  #: its words
LEAST: Final = 1  #: their beginnings


def is_wanted(
    program: Program | None, returning: Returning | None, criteria: Criteria = ()
) -> bool:
    """Whether scores are asked for.  Raises PeerError where nothing is fuzzy (RFC 6203 §4, §6)."""
    wanted = (returning is not None and RELEVANCY in returning.wants) or any(
        one.name == RELEVANCY for one in criteria
    )
    if wanted and program is not None and not program.is_fuzzy:
        raise PeerError("RELEVANCY needs a FUZZY key")
    return wanted


def scores(
    program: Program, scope: Scope, found: Sequence[int]
) -> Generator[Effect, Any, dict[int, int]]:
    """The score of each message at the places *found*, from 1 to 100."""
    uids = array("I", [scope.uids[place] for place in found])
    some = Scope(scope.mailbox, uids, is_dense=False)
    sums = [0] * len(found)
    for exact, words in program.graded:
        best = frozenset((yield from find(exact, some)))
        good = frozenset((yield from find(words, some)))
        for n in range(len(sums)):
            sums[n] += BEST if n in best else GOOD if n in good else LEAST
    count = len(program.graded)
    if not count:
        return dict.fromkeys(found, BEST)
    return {place: sum_ // count for place, sum_ in zip(found, sums, strict=True)}
