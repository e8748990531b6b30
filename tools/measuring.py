"""Coverage of what runs in the tests' own processes, and of nothing else: measured code takes half as long again.

While tests run that look at the server from outside (`OUTSIDE`), lines are not counted; nor in any process that a test
starts.  TEST_COVERAGE=all counts everything.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coverage import Coverage

OUTSIDE = ("crash", "docs", "fuzz", "hostile", "interop", "tools")  # folders of tests
IS_ALL = os.environ.get("TEST_COVERAGE") == "all"


class Measuring:
    """Switches the measuring of this process, if it is measured at all."""

    def __init__(self) -> None:
        self._coverage = _running()
        self._is_on = True

    def switch(self, test: Path, tests: Path) -> None:
        """Counts what runs from here on, unless *test* is a file below one of OUTSIDE in *tests*."""
        if self._coverage is None or IS_ALL:
            return
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
            del os.environ[name]
        is_wanted = test.relative_to(tests).parts[0] not in OUTSIDE
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
