"""The queue: mail that leaves, from acceptance until each recipient is delivered, failed, expired or cancelled."""

from mailserver.store.queue_adding import Adding
from mailserver.store.queue_claiming import Claiming
from mailserver.store.queue_forgetting import Forgetting
from mailserver.store.queue_holding import Holding
from mailserver.store.queue_late import Waiting
from mailserver.store.queue_listing import Listing
from mailserver.store.queue_settling import Settling


class Queue(Adding, Claiming, Settling, Waiting, Holding, Listing, Forgetting):
    """All of it: what acceptance, the queue's runner and administrators ask and tell."""

    __slots__ = ()
