"""A compiled script.

Spec: RFC 5228 §2.10.  Status: complete.
"""

from dataclasses import dataclass

from mailserver.sieve.header import Header
from mailserver.sieve.registry import Step
from mailserver.sieve.skipping import Needs


@dataclass(frozen=True, slots=True)
class Program:
    """Runs with any number of messages, in any thread.

    required:  the capabilities that it and what it includes have required.
    warnings:  what is allowed but hardly meant, with its place.
    needs:     what must be in a header for it to do anything, if that is known.
    """

    main: Step
    required: frozenset[str]
    warnings: tuple[str, ...]
    needs: Needs | None = None

    def has_a_say(self, header: Header, steps: int) -> bool:
        """False: a run of at most *steps* with that header does nothing, which leaves the implicit keep."""
        return self.needs is None or self.needs.absent(header, steps) < 0
