"""`mailserver` with a protocol of its own on the submission listener, so that a test sees which process answers what.

who -> the process id; watch -> "changed" after the next change of the directory; hold -> an answer only after a second,
whatever happens meanwhile; anything else is said back.  When the server stops it says "bye".
"""

import asyncio
import os
import sys

from mailserver.app import run
from mailserver.app.main import main
from mailserver.servers.listen import Service


async def handle(stream, context, guest):
    """One line, one answer."""
    while True:
        if not await stream.ready():
            if context.stopping.is_set():
                stream.write(b"bye\r\n")
                return
            stream.write(b"changed\r\n")
            continue
        line = stream.take()
        if not line:
            return
        if line == b"who\r\n":
            stream.write(b"%d\r\n" % os.getpid())
        elif line == b"watch\r\n":
            context.hub.watch_directory(stream.wake)
            stream.write(b"watching\r\n")
        elif line == b"hold\r\n":
            stream.write(b"holding\r\n")
            await asyncio.sleep(1)
            stream.write(b"held\r\n")
        elif line == b"stuck\r\n":
            stream.write(b"sticking\r\n")
            await asyncio.sleep(60)
        else:
            stream.write(line)


def services(hostname):
    """The one service."""
    return {"submission": Service("submission", handle, False, (b"421 ", b"\r\n"))}


run.services = services

if __name__ == "__main__":
    if "--quick-grace" in sys.argv:
        sys.argv.remove("--quick-grace")
        from mailserver.app import worker

        worker.GRACE_S = 0.5
    main(prog_name="mailserver")
