"""A closed loop of SMTP clients: each sends its next message as soon as the last one was answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import uvloop


@dataclass
class Load:
    """*total* messages over *clients* connections, recipients in turn.

    Afterwards: wall_s from the first connection to the last answer, latencies_s from MAIL to the 250 of the data.
    """

    host: str
    port: int
    recipients: list[str]
    messages: list[bytes]
    total: int
    clients: int
    limit_s: float = 120.0
    accepted: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0

    def run(self) -> Load:
        self._numbers = count()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._all())
        return self

    def sender(self, number: int) -> str:
        """Of the message with that number."""
        return "sender@example.org"

    async def _all(self) -> None:
        start = time.perf_counter()
        async with asyncio.timeout(self.limit_s), asyncio.TaskGroup() as group:
            for _ in range(self.clients):
                group.create_task(self._client())
        self.wall_s = self._last - start

    async def _client(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        await _reply(reader)
        writer.write(b"EHLO load.host.example\r\n")
        await _reply(reader)
        while (number := next(self._numbers)) < self.total:
            recipient = self.recipients[number % len(self.recipients)]
            start = time.perf_counter()
            writer.write(
                f"MAIL FROM:<{self.sender(number)}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
            )
            replies = [await _reply(reader) for _ in range(3)]
            if replies[2][:1] == b"3":
                writer.write(self.messages[number % len(self.messages)] + b".\r\n")
                replies.append(await _reply(reader))
            self._last = time.perf_counter()
            if replies[-1][:1] == b"2":
                self.latencies_s.append(self._last - start)
                self.accepted[recipient] += 1
            else:
                self.refusals[replies[-1].decode("latin1").strip()] += 1
        writer.write(b"QUIT\r\n")
        writer.close()


async def _reply(reader: asyncio.StreamReader) -> bytes:
    """The last line of the next reply."""
    while True:
        line = await reader.readuntil(b"\n")
        if line[3:4] != b"-":
            return line
