"""A large mailbox in Dovecot and in ours at once: each command goes to the one, then to the other, round by round.

    bench/mailbox.py                         100,000 messages, about ten minutes on a quiet machine with two cores
    bench/mailbox.py --messages 10000        a smaller mailbox
    bench/mailbox.py --idle 1000             idle connections too, with and without TLS: what each of them holds

Needs root, and the package dovecot-imapd.  Alternating makes ratios that a busy machine does not spoil altogether; the
processor time of each command stands beside them.  Everything stays on loopback and stops by itself.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]

from lines import _timed as timed  # noqa: E402  the path is set just above

from messages import mailbox  # noqa: E402
from outside.debian import Debian, why_not  # noqa: E402
from outside.meter import cpu_s, memory  # noqa: E402
from outside.server import Account, Ours, Server  # noqa: E402
from outside.wire import Imap  # noqa: E402

BATCH = 200  # messages in one APPEND
ROUNDS = 5
SCREEN = "(FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
HEADERS = "(UID BODY.PEEK[HEADER.FIELDS (FROM TO CC SUBJECT DATE MESSAGE-ID REFERENCES)])"


@dataclass(frozen=True, slots=True)
class Side:
    """One server with its large mailbox selected."""

    server: Server
    imap: Imap

    def time(self, command: str, before: str = "") -> tuple[float, float]:
        """Milliseconds of wall clock and of the server's processors; *before* is run first and not measured."""
        for words in filter(None, before.split(";")):
            timed(self.imap, words)
        used = cpu_s(self.server.roots())
        took = timed(self.imap, command)
        return took * 1e3, (cpu_s(self.server.roots()) - used) * 1e3


def commands(count: int) -> Iterator[tuple[str, str, str]]:
    """(what it is, the command, what has to be done before)."""
    middle = f"{count // 2}:{count // 2 + 999}"
    screen = f"{count // 2}:{count // 2 + 49}"
    flag = f"STORE {middle} {{}}FLAGS.SILENT (\\Flagged)"
    yield "SELECT, warm", "SELECT large", "SELECT small"
    yield "FETCH 1:* FLAGS", "FETCH 1:* (FLAGS)", ""
    yield "UID FETCH 1:* FLAGS", "UID FETCH 1:* (UID FLAGS)", ""
    yield "FETCH 1:* ENVELOPE BODYSTRUCTURE", f"FETCH 1:* {SCREEN}", ""
    yield "FETCH 1:* of seven header fields", f"FETCH 1:* {HEADERS}", ""
    yield "FETCH 50, list screen", f"FETCH {screen} {SCREEN}", ""
    yield "FETCH 1,000 bodies", f"FETCH {middle} (BODY.PEEK[])", ""
    yield "SEARCH UNSEEN", "SEARCH UNSEEN", ""
    yield "SEARCH SUBJECT", "SEARCH SUBJECT invoice", ""
    yield "SEARCH FROM", "SEARCH FROM example", ""
    yield "SEARCH BODY, a word that is nowhere", "SEARCH BODY needlefish", ""
    yield "STORE 1,000 +", flag.format("+"), flag.format("-")
    yield "STORE 1,000 -", flag.format("-"), flag.format("+")
    yield "COPY 1,000", f"COPY {middle} copies", ""
    yield "MOVE 1,000", "MOVE 1:1000 moved", f"SELECT large;COPY {middle} copies;SELECT copies"


def fill(side: Side, count: int) -> None:
    """MULTIAPPEND (RFC 3502) in pieces of BATCH."""
    imap = side.imap
    for name in ("large", "small", "copies", "moved"):
        imap.ok(f"CREATE {name}")
    messages = mailbox(count)
    for start in range(0, count, BATCH):
        part = messages[start : start + BATCH]
        words = b"".join(b" {%d+}\r\n%b" % (len(raw), raw) for raw in part)
        imap.wire.send(b"f APPEND large" + words + b"\r\n")
        reply = imap.finish(b"f")
        if reply.status != b"OK":
            raise RuntimeError(reply.text.decode())


def compare(theirs: Side, ours: Side, count: int) -> None:
    """Prints a row for each command: medians, and how many times better ours is."""
    print("| | Dovecot | ours | wall | processor |\n|-|-|-|-|-|")
    for what, command, before in commands(count):
        taken = [(theirs.time(command, before), ours.time(command, before)) for _ in range(ROUNDS)]
        wall = [statistics.median(pair[n][0] for pair in taken) for n in (0, 1)]
        work = [statistics.mean(pair[n][1] for pair in taken) for n in (0, 1)]
        cpu = f"{work[0] / work[1]:.1f}x" if min(work) >= 5 else ""  # the kernel counts in 10 ms
        print(
            f"| {what} | {wall[0]:.1f} ms | {wall[1]:.1f} ms | **{wall[0] / wall[1]:.1f}x** | {cpu} |",
            flush=True,
        )
        for side in (theirs, ours):
            timed(side.imap, "SELECT large")


def idle(server: Server, account: Account, count: int, *, tls: bool) -> None:
    """Prints what *count* connections in IDLE hold, beyond what the server holds without them."""
    with ExitStack() as open_:
        warm = [open_.enter_context(Imap(server, account, tls=tls)) for _ in range(20)]
        before = memory(server.roots())
        more = [open_.enter_context(Imap(server, account, tls=tls)) for _ in range(count)]
        for imap in (*warm, *more):
            imap.select("INBOX")
            imap.wire.send(b"i IDLE\r\n")
            imap.wire.line()
        time.sleep(2)
        each = (memory(server.roots()) - before) / count / 1024
        print(f"{server.name}, {count} idle, {'TLS' if tls else 'clear'}: {each:.1f} KiB each")


def main() -> None:
    """Fill both, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--idle", type=int, default=0, help="connections")
    parser.add_argument("--workers", default="1")
    args = parser.parse_args()
    if reason := why_not():
        sys.exit(reason)
    limits = f"limits: {{connections: {{per_address: {args.idle + 100}}}}}\n"
    with ExitStack() as running:
        theirs = Debian(count=1, fsync="optimized", with_postfix=False)
        running.callback(theirs.stop)
        theirs.start()  # before ours picks its ports
        ours = Ours(workers=args.workers, count=1, settings=limits)
        running.callback(ours.discard)
        running.callback(ours.stop)
        ours.create()
        ours.start()
        sides = [Side(s, Imap(s, s.accounts[0], timeout_s=600)) for s in (theirs, ours)]
        for side in sides:
            start = time.perf_counter()
            fill(side, args.messages)
            rate = args.messages / (time.perf_counter() - start)
            opened = timed(side.imap, "SELECT large") * 1e3
            print(
                f"{side.server.name}: appended {rate:.0f} a second, first SELECT {opened:.1f} ms",
                flush=True,
            )
        compare(sides[0], sides[1], args.messages)
        if args.idle:
            for tls in (False, True):
                idle(ours, ours.accounts[0], args.idle, tls=tls)


if __name__ == "__main__":
    main()
