"""Coverage where it is held to a bound, and nowhere else: measured code runs half as fast.

While a test of a room in coverage_rooms.HELD runs, lines are counted; while others run they are not, nor in the
processes that tests start.  TEST_COVERAGE=all counts everything, processes too.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coverage_rooms import HELD, IS_ALL

if TYPE_CHECKING:
    from coverage import Coverage


class Measuring:
    """Switches the measuring of this process, if it is measured at all."""

    def __init__(self) -> None:
        self._coverage = _running()
        self._is_on = True

    def switch(self, test: Path, tests: Path) -> None:
        """Counts from here on what runs, if *test* is a file of a held room's folder in *tests*."""
        if self._coverage is None or IS_ALL:
            return
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
            del os.environ[name]
        is_wanted = test.relative_to(tests).parts[0] in HELD
        if is_wanted and not self._is_on:
            self._coverage.start()
        elif self._is_on and not is_wanted:
            self._coverage.stop()
        self._is_on = is_wanted


def _running() -> "Coverage | None":
    if "coverage" not in sys.modules:  # nobody has started it
        return None
    from coverage import Coverage

    return Coverage.current()
