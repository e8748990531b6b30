"""An IMAP server with the job that runs scripts for what clients do in mailboxes."""

import asyncio
import time

from jobs.post_office import a_site
from mailserver.jobs.mailbox_events import run_event_scripts
from mailserver.store.scripts import Owner
from mailserver.store.tx import Read
from servers.imap_bench import Bench

BEFORE = (
    'require ["imapsieve", "environment", "fileinto", "copy", "imap4flags", "mailbox", "variables",'
    ' "enotify", "editheader", "envelope", "special-use"];'
)


class Events(Bench):
    """A bench with the job that runs scripts."""

    def begin(self) -> None:
        async def start() -> None:
            self.over = asyncio.Event()
            site = a_site(self.context.work, self.store, hub=self.context.hub, limits=self.limits)
            self.job = asyncio.ensure_future(run_event_scripts(site, self.over))

        asyncio.run_coroutine_threadsafe(start(), self.loop).result(5)

    def end(self) -> None:
        async def stop() -> None:
            self.over.set()
            await asyncio.wait_for(self.job, 5)

        asyncio.run_coroutine_threadsafe(stop(), self.loop).result(10)
        self.stop()

    def script(self, text: str, name: str = "events", who: str = "alice") -> None:
        owner = Owner(account=self.accounts[who])
        self.store.write_now(lambda tx: tx.scripts.put(owner, name, (BEFORE + text).encode()))

    def settled(self) -> None:
        """Nothing waits any more."""
        end = time.monotonic() + 10
        while self.store.read_now(lambda tx: tx.events.first()) is not None:
            assert time.monotonic() < end
            time.sleep(0.02)

    def rows(self, mailbox: str, who: str = "alice") -> list[tuple[int, int, str, bytes]]:
        """(UID, flags, keywords, octets) of each message."""

        def job(tx: Read) -> list[tuple[int, int, str, bytes]]:
            box = tx.mailboxes.find(self.accounts[who], mailbox)
            if box is None:
                return []
            columns = "uid", "flags", "keywords", "blob"
            found = list(tx.messages.rows(box.id, [(1, 2**32 - 1)], *columns))
            return [(uid, flags, words, tx.blobs.read(blob)) for uid, flags, words, blob in found]

        return self.store.read_now(job)
