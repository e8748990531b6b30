"""What leaves is signed by the domain of its author, and what is passed on is sealed, in the form in which it leaves.

Spec: RFC 6376 §5; RFC 8463; RFC 8301 §3.1; RFC 8617 §5.1.  Status: complete.

It happens once the next hop has said what it takes, as a conversion to 7 bits would break what was signed before.  A
message that goes to several next hops is signed once.  Only messages are signed whose author was checked when they were
submitted, or that this server wrote itself (`Queued.is_signable`): what comes from outside and is passed on may claim
to be from anybody.  That is sealed (ARC) by the domain whose address passes it on, with what was found when it came.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import NamedTuple

from mailserver.base.errors import Cannot, MailError, TryLater
from mailserver.base.ids import QueuedId
from mailserver.base.limits import DkimLimits
from mailserver.base.log import Log
from mailserver.directory import seal
from mailserver.directory.signing import Signatory, oversigned, signatory, signing_keys
from mailserver.jobs import dkim
from mailserver.jobs.fitting import Fitted
from mailserver.jobs.parcels import Content, Parcel
from mailserver.jobs.registry import Site
from mailserver.mailauth.arc.passing import found_before
from mailserver.mailauth.arc.seal import seal_hashed
from mailserver.mailauth.dkim.body import Bodies, Wanted
from mailserver.mailauth.dkim.keys import SigningKey
from mailserver.mailauth.dkim.sign import Fields, sign_hashed
from mailserver.mta import authors
from mailserver.net import smtp
from mailserver.store.queue_values import Queued

REMEMBERED = 1_000  #: messages whose signatures are kept for their other next hops
AUTHORS = 10_000  #: domains whose keys are kept ready
TROUBLE_S = 60.0  #: after which keys that could not be had are asked for again
AT_ONCE = 1_048_576  #: octets of a large body that a thread hashes at a time
HEADER = 1_048_576  #: octets of a header; a larger one is not signed

_BODY = Wanted("relaxed")

log = Log("dkim")

_Key = tuple[QueuedId, bool, int]  #: a message, whether it is 8bit, how often keys had changed


class Voice(NamedTuple):
    """What signs for a domain; without keys: why nothing does.

    until: it is to be asked for again then, on the loop's clock.
    """

    keys: tuple[SigningKey, ...]
    fields: Fields
    why: str = ""
    until: float = inf

    @property
    def said(self) -> str:
        """For the log."""
        selectors = ", ".join(key.selector for key in self.keys)
        return f"{self.keys[0].domain}: {selectors}" if self.keys else f"none: {self.why}"


class Signer:
    """Signs for all connections.  It belongs to one event loop."""

    __slots__ = ("_changes", "_lock", "_loop", "_made", "_site", "_voices")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._loop = asyncio.get_running_loop()
        self._voices: dict[str, Voice] = {}
        self._made: OrderedDict[_Key, asyncio.Task[tuple[bytes, str]]] = OrderedDict()
        self._changes = 0
        self._lock = asyncio.Lock()

    def changed(self) -> None:
        """Domains or keys have changed."""
        self._changes += 1
        self._voices.clear()

    async def signed(self, parcel: Parcel, fitted: Fitted) -> Fitted:
        """*fitted* with its signatures in front, if there are any; `parcel.signed` says by whom, or why not.

        Raises MailError if the content cannot be read, TryLater if the keys cannot be for now.
        """
        message = parcel.message
        if not message.is_signable and not _forwarder(message):
            parcel.signed = "none: not written here"
            return fitted
        key = message.id, fitted.outgoing.is_8bit, self._changes
        making = self._made.get(key)
        if making is None:
            if isinstance(fitted.content, bytes):
                voice = self._known(_domain(message, _header(fitted.content)[0]) or "")
                if voice is not None and not voice.keys:  # nothing is to be made
                    parcel.signed = voice.said
                    return fitted
            making = asyncio.create_task(self._sign(message, fitted.content))
            self._made[key] = making
            making.add_done_callback(lambda task: self._done(key, task))
        signatures, parcel.signed = await asyncio.shield(making)  # others may wait for it, too
        return _in_front(signatures, fitted) if signatures else fitted

    def _done(self, key: _Key, task: asyncio.Task[tuple[bytes, str]]) -> None:
        if task.cancelled() or task.exception() is not None or not task.result()[0]:
            self._made.pop(key, None)  # what has no signature may get one another time
        while len(self._made) > REMEMBERED:
            self._made.popitem(last=False)

    async def _sign(self, message: Queued, content: smtp.Content) -> tuple[bytes, str]:
        if isinstance(content, bytes):
            header, at = _header(content)
            voice = await self._voice(message, header)
            if not voice.keys:
                return b"", voice.said
            now, bodies = int(self._site.now()), _relaxed()

            def whole() -> tuple[bytes, str]:
                bodies.feed(content[at:])
                return self._fields(message, voice, header, bodies, now)

            return await self._site.work.thread(whole)
        return await self._sign_large(message)

    async def _sign_large(self, message: Queued) -> tuple[bytes, str]:
        """The body is read twice: the signature goes before it."""
        content, offset, start = Content(self._site.work, message), 0, b""
        while b"\r\n\r\n" not in start and len(start) <= HEADER:
            piece = await content(offset)
            if not piece:
                break
            start += piece
            offset += len(piece)
        header, at = _header(start)
        if len(header) > HEADER:
            return b"", f"none: its header has more than {HEADER} octets"
        voice = await self._voice(message, header)
        if not voice.keys:
            return b"", voice.said
        bodies, waiting = _relaxed(), [start[at:]]
        while piece := await content(offset):
            offset += len(piece)
            waiting.append(piece)
            if sum(map(len, waiting)) >= AT_ONCE:
                await self._site.work.thread(_feeding(bodies, waiting))
                waiting = []
        now = int(self._site.now())
        await self._site.work.thread(_feeding(bodies, waiting))
        return await self._site.work.thread(
            lambda: self._fields(message, voice, header, bodies, now)
        )

    def _fields(
        self, message: Queued, voice: Voice, header: bytes, bodies: Bodies, now: int
    ) -> tuple[bytes, str]:
        """In a thread: the fields, and what the log says."""
        if message.is_signable:
            return _signed(voice, header, bodies, now)
        return _sealed(voice, header, bodies, now, self._site.hostname, self._site.limits.dkim)

    # -- who signs

    async def _voice(self, message: Queued, header: bytes) -> Voice:
        """Of the author that *header* names, or of who passes the message on."""
        domain = _domain(message, header)
        if domain is None:
            return Voice((), Fields(), "it has no one From")
        known = self._known(domain)
        if known is not None:
            return known
        async with self._lock:
            changes = self._changes
            known = self._known(domain)
            if known is None:
                known = await self._find(domain)
                if changes == self._changes:
                    if len(self._voices) >= AUTHORS:
                        self._voices.clear()
                    self._voices[domain] = known
        return known

    def _known(self, domain: str) -> Voice | None:
        known = self._voices.get(domain)
        return known if known is not None and known.until > self._loop.time() else None

    async def _find(self, domain: str) -> Voice:
        """Mail is not kept back for want of a key: it leaves unsigned, and the log says why."""
        site = self._site
        try:
            who = await site.work.read(lambda tx: signatory(tx, domain, site.hostname))
            if isinstance(who, Signatory) and not who.keys and await dkim.make(site, who.domain):
                who = await site.work.read(lambda tx: signatory(tx, domain, site.hostname))
            if isinstance(who, str):
                return Voice((), Fields(), who)
            if not who.keys:
                why = f"{who.domain.name} has no key of the kind it signs with"
                return Voice((), Fields(), why)
            return await site.work.thread(lambda: self._open(who))
        except TryLater:
            raise
        except (MailError, OSError) as error:
            log.error("mail leaves unsigned", domain=domain, reason=str(error))
            until = self._loop.time() + TROUBLE_S
            return Voice((), Fields(), "its keys cannot be had", until)

    def _open(self, who: Signatory) -> Voice:
        keys = signing_keys(who, seal.load(self._site.seals))
        return Voice(keys, oversigned(who.domain))


def _relaxed() -> Bodies:
    bodies = Bodies()
    bodies.want(_BODY)
    return bodies


def _feeding(bodies: Bodies, pieces: list[bytes]) -> Callable[[], None]:
    def feed() -> None:
        for piece in pieces:
            bodies.feed(piece)

    return feed


def _header(data: bytes) -> tuple[bytes, int]:
    """The header of *data*, and where its body begins."""
    end = data.find(b"\r\n\r\n")
    return (data[: end + 2], end + 4) if end >= 0 else (data, len(data))


def _signed(voice: Voice, header: bytes, bodies: Bodies, now: int) -> tuple[bytes, str]:
    """The fields, and what the log says."""
    digest = bodies.digest(_BODY).digest
    try:
        fields = sign_hashed(header, digest, voice.keys, now=now, fields=voice.fields)
    except Cannot as reason:
        return b"", f"none: {reason}"
    return fields, voice.said


def _sealed(
    voice: Voice, header: bytes, bodies: Bodies, now: int, hostname: str, limits: DkimLimits
) -> tuple[bytes, str]:
    found = found_before(header, hostname, limits)
    if found is None:
        return b"", "none: not written here, and nobody has looked at who wrote it"
    try:
        fields = seal_hashed(
            header,
            bodies.digest(_BODY).digest,
            voice.keys[0],  # RSA first: few verify others in ARC
            authserv_id=hostname,
            results_text=found.text,
            chain=found.chain,
            now=now,
            fields=voice.fields,
            limits=limits,
        )
    except Cannot as reason:
        return b"", f"none: {reason}"
    if not fields:
        return b"", "none: its chain of seals takes no more"
    return fields, f"ARC {found.chain.instance + 1} by {voice.keys[0].domain}"


def _domain(message: Queued, header: bytes) -> str | None:
    """The domain that signs: of the author whom *header* names, or of who passes it on; None: no such domain."""
    if not message.is_signable:
        return _forwarder(message)
    found = authors.read(header)
    if found.from_fields != 1 or found.first is None:
        return None
    return found.first.domain.lower()


def _forwarder(message: Queued) -> str:
    """The domain of ours that passes on what somebody else wrote: as the Delivered-To says that it leaves with."""
    if message.origin != "forwarded":
        return ""
    name, _, address = message.prefix.decode("ascii", "replace").partition(":")
    return address.strip().rpartition("@")[2] if name == "Delivered-To" else ""


def _in_front(signatures: bytes, fitted: Fitted) -> Fitted:
    """*fitted* with *signatures* before its header."""
    outgoing, content = fitted
    outgoing = replace(outgoing, size=outgoing.size + len(signatures))
    if isinstance(content, bytes):
        return Fitted(outgoing, signatures + content)

    async def pieces(offset: int) -> bytes:
        if offset < len(signatures):
            return signatures[offset:]
        return await content(offset - len(signatures))

    return Fitted(outgoing, pieces)
