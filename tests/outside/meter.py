"""CPU and memory of a process tree, read from /proc."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def tree(roots: list[int]) -> set[int]:
    """The processes *roots* and all that descend from them, those that still live."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [r for r in roots if Path(f"/proc/{r}").exists()]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def cpu_s(roots: list[int]) -> float:
    """Processor seconds the tree has used so far, its dead and reaped children included."""
    total = 0
    for pid in tree(roots):
        fields = _stat(pid)
        if fields:
            total += sum(int(f) for f in fields[11:15])
    return total / TICK


def memory(roots: list[int], what: str = "Pss") -> int:
    """Octets the tree holds: Pss counts a page shared by processes once, Rss in each."""
    total = 0
    for pid in tree(roots):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(f"{what}:"):
                total += int(line.split()[1]) * 1024
    return total


def machine_s() -> float:
    """Processor seconds the whole machine has been busy, all cores."""
    fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICK


class Meter:
    """`with Meter(roots) as m:`, then m.cpu_s, m.wall_s, m.peak (octets, PSS), m.others (cores strangers used)."""

    def __init__(self, roots: list[int], every_s: float = 0.5) -> None:
        self.roots, self.every_s, self.peak = roots, every_s, 0

    def __enter__(self) -> Meter:
        self._cpu, self._wall = cpu_s(self.roots), time.perf_counter()
        self._busy, self._own = machine_s(), time.process_time()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._end.is_set():
            self.peak = max(self.peak, memory(self.roots))
            self._end.wait(self.every_s)

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._wall
        self.own_s = time.process_time() - self._own
        self.cpu_s = cpu_s(self.roots) - self._cpu
        busy = machine_s() - self._busy
        self.others = max(0.0, (busy - self.cpu_s - self.own_s) / max(self.wall_s, 1e-9))
        self._end.set()
        self._thread.join()
        self.peak = max(self.peak, memory(self.roots))


def wait_until(is_so: Callable[[], bool], limit_s: float, every_s: float = 0.05) -> bool:
    """*is_so* came true within the time."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(every_s)
    return is_so()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; [] when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()
