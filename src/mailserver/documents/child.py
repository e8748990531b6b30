"""The process in which documents are read: bounded by the kernel, without files, replaced when it dies.

    python -m mailserver.documents.child MEMORY

A request on standard input is a line of JSON and the octets it announces; the answer on standard output is a line of
JSON and the text.  Requests come one after the other.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import BinaryIO

UNPACKED = 268_435_456  #: octets of XML looked at in one document


def main() -> None:
    """Serve until standard input ends."""
    _confine(int(sys.argv[1]))
    _serve(sys.stdin.buffer, sys.stdout.buffer)


def _confine(memory: int) -> None:
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))  # some are needed for reading modules


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["size"])
        if len(data) < request["size"]:
            return
        _allow_time(request["time_s"])
        reason = ""
        out: list[str] = []
        left = request["text"]
        try:
            for piece in read(request["kind"], data):
                out.append(piece[:left])
                left -= len(out[-1])
                if left <= 0:
                    reason = "longer"
                    break
        except MemoryError:
            out, reason = [], "MemoryError"
        except Exception as error:  # documents have more ways of being broken than anybody knows
            reason = f"{type(error).__name__}: {error}"[:200]
        text = "".join(out).encode("utf-8", "replace")
        answers.write(json.dumps({"size": len(text), "reason": reason}).encode() + b"\n" + text)
        answers.flush()


def _allow_time(seconds: float) -> None:
    """So much more CPU from now on; the kernel ends this process then, even if nobody watches it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def read(kind: str, data: bytes) -> Iterator[str]:
    """The text of a document in pieces.  Raises whatever its reader raises."""
    from mailserver.documents import office, pdf
    from mailserver.mime.charsets import decode_text
    from mailserver.mime.html import HtmlText

    if kind == "pdf":
        return pdf.read(data)
    if kind in ("text", "html"):
        text = decode_text(data, "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "")
        return iter([HtmlText().feed(text.lower(), is_last=True) if kind == "html" else text])
    return office.read(kind, data, UNPACKED)


if __name__ == "__main__":
    main()
