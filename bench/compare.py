"""Our server beside Debian's Postfix and Dovecot: the same work in one run, and how many times better we are.

    bench/compare.py                         everything, about ten minutes on a quiet machine with two cores
    bench/compare.py --share 0.1 idle        a tenth of the work, one group of lines: a smoke test
    bench/compare.py --workers auto          only with as many workers as there are cores

Needs root, and the packages postfix dovecot-imapd dovecot-lmtpd.  Everything stays on loopback and stops by itself.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]

from lines import ACCOUNTS, GROUPS, Figure  # noqa: E402  the path is set just above

from outside.debian import Debian, why_not  # noqa: E402
from outside.server import Ours, Server  # noqa: E402

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")


def measure(server: Server, groups: Iterable[str], share: float) -> dict[str, Figure]:
    """The figures of one server by name; printed as they come."""
    print(f"== {server.name}", flush=True)
    found: dict[str, Figure] = {}
    for group in groups:
        for figure in GROUPS[group](server, server.accounts, share):
            found[figure.name] = figure
            busy = f"others {figure.others:.2f} cores" if figure.others > 0.2 else ""
            print(
                f"  {figure.name:44}{figure.value:10.2f} {figure.unit:7} {busy} {figure.note}",
                flush=True,
            )
    return found


def peer(groups: Iterable[str], share: float) -> dict[str, Figure]:
    """Postfix and Dovecot as Debian ships them, with Dovecot's default fsync."""
    before = INOTIFY.read_text()
    INOTIFY.write_text("1024")  # the default lets Dovecot watch 128 mailboxes and poll the rest
    server = Debian(count=ACCOUNTS + 1, fsync="optimized")
    try:
        server.start()
        return measure(server, groups, share)
    finally:
        server.stop()
        INOTIFY.write_text(before)


def ours(workers: str, groups: Iterable[str], share: float) -> dict[str, Figure]:
    """A fresh server of this checkout, with the log in a file as it would have in use."""
    server = Ours(workers=workers, count=ACCOUNTS + 1, name=f"ours, workers: {workers}")
    try:
        server.create()
        server.start()
        found = measure(server, groups, share)
        server.stop()
        return found
    finally:
        server.discard()


def table(base: dict[str, Figure], others: dict[str, dict[str, Figure]]) -> str:
    """Markdown: the peer's figures, ours, and how many times better ours are."""
    rows = [
        "| | Postfix + Dovecot | " + " | ".join(others) + " |",
        "|-" * (len(others) + 2) + "|",
    ]
    for name, figure in base.items():
        cells = [f"{figure.value:.1f} {figure.unit}"]
        for found in others.values():
            own = found[name]
            low, high = max(own.value, 1e-3), max(figure.value, 1e-3)
            times = low / high if figure.more_is_better else high / low
            cells.append(f"{own.value:.1f} {own.unit} (**{times:.1f}x**)")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("groups", nargs="*", default=list(GROUPS), help=", ".join(GROUPS))
    parser.add_argument("--workers", default="1,auto", help="comma-separated")
    parser.add_argument("--share", type=float, default=1.0, help="of the work")
    parser.add_argument("--out", type=Path, help="a file for all figures, JSON")
    args = parser.parse_args()
    if reason := why_not():
        sys.exit(reason)
    base = peer(args.groups, args.share)
    found = {
        f"ours, workers: {workers}": ours(workers, args.groups, args.share)
        for workers in args.workers.split(",")
    }
    print("\n" + table(base, found))
    if args.out:
        everything = {"peer": base, **found}
        args.out.write_text(
            json.dumps(
                {
                    who: {n: [f.value, f.unit] for n, f in figures.items()}
                    for who, figures in everything.items()
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
