"""What becomes of a domain's keys with time: published, seen, used, replaced, forgotten.

Spec: RFC 6376 §3.1, §3.6.1, §6.1.2 (selectors exist so that keys can be replaced).
Status: complete.

Records are put into the DNS by people, so nothing is switched to before the DNS shows it, and has shown it for so long
that nobody remembers its absence.  What the old key signed may still wait in a queue elsewhere, so its record is asked
for until it cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailserver.directory.dkim_keys import ALGORITHMS, fresh
from mailserver.directory.seal import Seal
from mailserver.store.dkim_keys import ACTIVE, PENDING, RETIRED, RETIRING, DkimKey, NewDkimKey
from mailserver.store.tx import Write
from mailserver.store.values import Domain


@dataclass(frozen=True, slots=True)
class Life:
    """How long each part of it takes.

    publish_s: a new key's record is shown at least so long before the key signs.
    overlap_s: an old key's record stays so long after it has signed for the last time.
    rotate_s:  a key that has signed for so long gets a successor; 0: only when somebody asks for one.
    """

    rsa_bits: int = 2_048
    publish_s: float = 86_400.0
    overlap_s: float = 604_800.0
    rotate_s: float = 0.0


class Step(NamedTuple):
    """A key that moves to another state."""

    key: DkimKey
    state: str


def steps(keys: Sequence[DkimKey], now: float, life: Life) -> list[Step]:
    """What is due among the keys of one domain: successors that are ready, and what they make needless."""
    found = []
    for algorithm in ALGORITHMS:
        mine = [key for key in keys if key.algorithm == algorithm]
        ready = [key for key in mine if key.state == PENDING and _is_ready(key, now, life)]
        if ready:
            found += switch(mine, ready[-1])
    found += [
        Step(key, RETIRED)
        for key in keys
        if key.state == RETIRING and (key.retiring_at or 0) + life.overlap_s <= now
    ]
    return found


def switch(keys: Sequence[DkimKey], to: DkimKey) -> list[Step]:
    """From now on *to* signs, and of *keys* no other of its kind.

    What was waiting before it is over, and has signed nothing.
    """
    of_its_kind = [key for key in keys if key.algorithm == to.algorithm and key.id != to.id]
    older = [key for key in of_its_kind if key.state == PENDING and key.id < to.id]
    return [
        Step(to, ACTIVE),
        *(Step(key, RETIRING) for key in of_its_kind if key.state == ACTIVE),
        *(Step(key, RETIRED) for key in older),
    ]


def apply(tx: Write, steps: Sequence[Step]) -> None:
    """Writes them down."""
    for key, state in steps:
        tx.dkim_keys.move(key.id, state)


def wanted(keys: Sequence[DkimKey], now: float, life: Life) -> list[str]:
    """The algorithms that the domain needs a new key of: both if it has no key, successors of old ones."""
    if all(key.state in (RETIRING, RETIRED) for key in keys):
        return list(ALGORITHMS)
    if not life.rotate_s:
        return []
    waiting = {key.algorithm for key in keys if key.state == PENDING}
    old = {
        key.algorithm
        for key in keys
        if key.state == ACTIVE and (key.active_at or 0) + life.rotate_s <= now
    }
    return [algorithm for algorithm in ALGORITHMS if algorithm in old - waiting]


def signs(domain: Domain) -> bool:
    """Whether *domain* is one whose mail we sign: nobody writes as a domain that we are only the backup of."""
    return not domain.is_backup and domain.dkim != "off"


def make(
    domain: str,
    keys: Sequence[DkimKey],
    algorithms: Sequence[str],
    seal: Seal,
    now: float,
    life: Life,
) -> list[NewDkimKey]:
    """New keys beside *keys*; takes a tenth of a second and more."""
    taken = {key.selector for key in keys}
    return fresh(domain, algorithms, seal, now=now, rsa_bits=life.rsa_bits, taken=taken)


def put(tx: Write, domain: Domain, new: Sequence[NewDkimKey]) -> list[DkimKey]:
    """They wait, unless the domain has no key that signs: a signature nobody can judge yet is as good as none, and
    is there the moment that the record is.
    """
    known = tx.dkim_keys.of(domain.id)
    found = []
    for one in new:
        has_one = any(key.algorithm == one.algorithm and key.state == ACTIVE for key in known)
        found.append(tx.dkim_keys.add(domain.id, one, PENDING if has_one else ACTIVE))
    return found


def _is_ready(key: DkimKey, now: float, life: Life) -> bool:
    return key.seen_at is not None and key.seen_at + life.publish_s <= now
