"""The comparators that a script has to require; they are in `comparators`.

Spec: RFC 4790 §9.1; RFC 5051; RFC 5228 §2.7.3.  Status: complete.
"""

from mailserver.sieve.comparators import COMPARATORS
from mailserver.sieve.registry import announce

for _comparator in COMPARATORS.values():
    announce(_comparator.capability)
