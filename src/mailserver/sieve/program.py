"""A compiled script.

Spec: RFC 5228 §2.10.  Status: complete.
"""

from dataclasses import dataclass

from mailserver.sieve.registry import Step


@dataclass(frozen=True, slots=True)
class Program:
    """Runs with any number of messages, in any thread.

    required:  the capabilities that it and what it includes have required.
    warnings:  what is allowed but hardly meant, with its place.
    """

    main: Step
    required: frozenset[str]
    warnings: tuple[str, ...]
