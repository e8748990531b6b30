"""What all destinations that are being served share."""

from collections.abc import Callable
from dataclasses import dataclass

from mailserver.jobs.books import Books
from mailserver.jobs.fitting import Fitting
from mailserver.jobs.notices import Notices
from mailserver.jobs.registry import Site
from mailserver.jobs.signing import Signer
from mailserver.jobs.slots import Slots


@dataclass(frozen=True, slots=True)
class Desk:
    """The queue's runner, as its lanes see it.

    changed: to be called when there is room for more, and when a lane is at its end.
    """

    site: Site
    books: Books
    notices: Notices
    slots: Slots
    fitting: Fitting
    signer: Signer
    changed: Callable[[], None]
