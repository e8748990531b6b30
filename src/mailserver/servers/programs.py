"""Compiled scripts by what they say: many people have the same, above all those that settings or a domain have made.

Spec: RFC 5228 §2.10.  Status: complete.

What many share is compiled once, and still in the processor's caches when mail comes for the next of them.
"""

import hashlib
import threading
from collections.abc import Callable

from mailserver.base.limits import SieveLimits
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.program import Program


class Programs:
    """Of one process; for any thread.  At most *most* are kept, those compiled last."""

    __slots__ = ("_known", "_limits", "_lock", "_most")

    def __init__(self, limits: SieveLimits, most: int) -> None:
        self._limits, self._most = limits, most
        self._known: dict[bytes, Program] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, script: bytes, load: Callable[[str, str], bytes | None]) -> Program:
        """*script*, compiled; *load* gives what it includes.  Raises ScriptError.

        What includes others is somebody's own: names mean his scripts (RFC 6609 §3.2).
        """
        key = hashlib.sha256(script).digest()
        program = self._known.get(key)
        if program is None:
            program = compile_script(script, self._limits, load=load)
            if "include" not in program.required:
                with self._lock:
                    self._known[key] = program
                    if len(self._known) > self._most:
                        del self._known[next(iter(self._known))]
        return program
