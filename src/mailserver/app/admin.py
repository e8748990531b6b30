"""How commands reach the store: a connection of their own, which works while the server runs.

They take the same write turn as the workers, and tell them after each commit to drop what they have cached.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mailserver.app.load import Loaded
from mailserver.app.privileges import become, check_access, hand_over
from mailserver.base.errors import NotFound
from mailserver.net.wakeups import tell_workers
from mailserver.store.store import Store, StoreOptions


@contextmanager
def opened(loaded: Loaded, *, create: bool = False) -> Iterator[Store]:
    """The store of this configuration.

    create: make the data folder and the database if they are not there; otherwise that is refused with NotFound, so
    that a wrong --config does not look like an empty server.
    """
    config = loaded.config
    if create:
        hand_over([config.data_dir], config.user, config.group)
    become(config.user, config.group, config.data_dir)
    check_access(config.data_dir)
    if not create and not (config.data_dir / "mailserver.db").exists():
        raise NotFound(
            f"no database in {config.data_dir}; `mailserver domain add` or `mailserver serve` makes one"
        )
    options = StoreOptions(
        readers=0,
        writer_cache_kib=8_192,
        limits=config.limits.imap,
        queue=config.limits.queue,
        sieve=config.limits.sieve,
        contacts=config.limits.contacts,
    )
    run = config.data_dir / "run"
    store = Store(
        config.data_dir, options=options, committed=lambda changes: tell_workers(run, changes)
    )
    mask = os.umask(0o077)  # whatever is made belongs to the server alone
    try:
        store.open()
        yield store
    finally:
        store.close()
        os.umask(mask)
