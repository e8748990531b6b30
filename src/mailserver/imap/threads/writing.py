"""Threads on the wire: `(2)(3 6 (4 23)(44 7 96))`.

Spec: RFC 5256 §4, §5 (thread-list).  Status: complete.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mailserver.imap.threads.algorithms import Forest

#: parts of the text that are joined at a time
_PIECE: Final = 20_000


def written(forest: Forest, numbers: Sequence[int]) -> Iterator[bytes]:
    """The THREAD response, in pieces; *numbers* are what the client calls the messages."""
    yield b"* THREAD " if forest.roots else b"* THREAD"
    count, children = forest.count, forest.children
    out: list[str] = []
    for root in forest.roots:
        todo = [root]
        while todo:
            at = todo.pop()
            if at < 0:
                out.append(")")
                continue
            out.append("(")
            while True:
                below = children.get(at, ())
                if at < count:
                    out.append(f"{numbers[at]} " if below else str(numbers[at]))
                if len(below) == 1:
                    at = below[0]
                    continue
                if below:
                    todo.append(-1)
                    todo.extend(reversed(below))
                else:
                    out.append(")")
                break
        if len(out) > _PIECE:
            yield "".join(out).encode()
            out = []
    yield "".join(out).encode()
    yield b"\r\n"
