"""One mail transaction: its sender, its recipients, its content, and what was found out about it.

Spec: RFC 5321 §3.3, §4.1.1.4.  Status: complete.
"""

from collections.abc import Callable
from pathlib import Path

from mailserver.base.ids import AccountId
from mailserver.base.limits import Limits, MimeLimits
from mailserver.directory.addresses import normalise
from mailserver.mime.derived import Head
from mailserver.mta import authors, check, found_fields, trace
from mailserver.mta.check import Message, Verdict
from mailserver.mta.complete import completed
from mailserver.mta.findings import Findings, Trust
from mailserver.mta.leave import Departure, Envelope, loops
from mailserver.mta.notice import Original
from mailserver.mta.route import Remote, Route, Target
from mailserver.mta.submit import Submitted
from mailserver.mta.success import News, news
from mailserver.mta.tls_required import is_waived
from mailserver.mta.trace import Client
from mailserver.mta.treatment import Decision, Treatment, are_accepted, decide, softened
from mailserver.smtp.address import Address
from mailserver.smtp.events import Mail, Recipient
from mailserver.smtp.reply import Reply
from mailserver.store.spool import Body, Spool
from mailserver.store.values import Account

PIECE = 1_048_576  #: octets of a large message that are looked at together


class Transaction:
    """From MAIL to the reply to the end of the data.

    id:      names the message in the log, the Received field and the reply.
    account: who has logged in; None for mail from other servers.
    received_at: UTC epoch seconds when the content began to come.
    recipients: as the client wrote them, with what notices it asked for; *routes* are theirs, in the same order.
    skip:    octets at the head of the content that belong to copies in mailboxes here and never leave.
    is_8bit, is_binary, smtputf8, needs_tls: as the client declared (RFC 6152, RFC 3030, RFC 6531, RFC 8689).
    ret, envid: what notices hold, and the client's name for the message (RFC 3461 §4.3, §4.4); "" if not said.
    hold_until: UTC epoch seconds before which nothing of it is delivered; None: at once (RFC 4865).
    left_out:    of recipients that do not get it after all, by their place, what they are refused with.
    verdicts:    what the checks found so far, in order.
    message_id:  the content's, once it was read; "" before, or if it has none.
    findings:    of mail authentication, and *decisions*, what follows for recipients with a treatment.
    marks:       of its signatures, as `Verification` has them.
    """

    __slots__ = (
        "_departures",
        "_head",
        "_not_judged",
        "_spool",
        "_submitted",
        "_targets",
        "account",
        "client",
        "decisions",
        "declared",
        "envid",
        "findings",
        "first",
        "hold_until",
        "id",
        "is_8bit",
        "is_binary",
        "left_out",
        "marks",
        "message_id",
        "needs_tls",
        "received_at",
        "recipients",
        "ret",
        "routes",
        "sender",
        "skip",
        "smtputf8",
        "verdicts",
    )

    def __init__(self, id: str, client: Client, mail: Mail, account: Account | None) -> None:
        self.id = id
        self.client = client
        self.account = account
        self.sender = mail.sender
        self.declared = mail.size or 0
        self.smtputf8 = mail.smtputf8
        self.is_8bit = mail.body == "8BITMIME"
        self.is_binary = mail.body == "BINARYMIME"
        self.needs_tls = mail.require_tls
        self.ret = mail.ret
        self.envid = mail.envid
        self.hold_until = mail.hold_until
        self.recipients: list[Recipient] = []
        self.routes: list[Route] = []
        self.left_out: dict[int, Reply] = {}
        self.verdicts: list[Verdict] = []
        self.findings: Findings | None = None
        self.marks: tuple[str, ...] = ()
        self.decisions: dict[Treatment, Decision] = {}
        self._not_judged = "not asked"
        self.message_id = ""
        self.received_at = 0
        self.first = b""
        self.skip = 0
        self._head = 0
        self._targets: dict[AccountId, Target] = {}
        self._departures: dict[Address, Departure] = {}
        self._spool: Spool | None = None
        self._submitted: Submitted | None = None

    def add_recipient(self, recipient: Recipient, route: Route, most: int) -> bool:
        """Mail for *recipient* goes to *route*, unless that makes it more than *most* copies.

        The bound keeps one message from holding up all others while it is filed; a first recipient, an alias for more
        people than that, is taken all the same.
        """
        fresh = {t.account: t for t in route.targets if t.account not in self._targets}
        if route.remotes:
            if not self._depart(recipient, route.remotes, len(fresh), most):
                return False
        elif self.recipients and len(self._targets) + len(self._departures) + len(fresh) > most:
            return False
        self.recipients.append(recipient)
        self.routes.append(route)
        self._targets |= fresh
        return True

    def _depart(
        self, recipient: Recipient, remotes: tuple[Remote, ...], fresh: int, most: int
    ) -> bool:
        """Each address elsewhere gets it once, and by the client's own word rather than over an alias."""
        away = _away(self._departures, recipient, remotes)
        if self.recipients and len(self._targets) + fresh + len(away) > most:
            return False
        self._departures = away
        return True

    def leave_out(self, refused: Callable[[Recipient, Route], Reply | None]) -> bool:
        """No recipient that is *refused* gets it; whether others do."""
        self._targets, self._departures = {}, {}
        for n, (recipient, route) in enumerate(zip(self.recipients, self.routes, strict=True)):
            if n not in self.left_out and (reply := refused(recipient, route)) is not None:
                self.left_out[n] = reply
            if n not in self.left_out:
                self._targets |= {target.account: target for target in route.targets}
                self._departures = _away(self._departures, recipient, route.remotes)
        return len(self.left_out) < len(self.recipients)

    def targets(self) -> list[Target]:
        """The accounts that get it, each once, whoever of their addresses was named how often."""
        return list(self._targets.values())

    @property
    def is_held_back(self) -> bool:
        """Whether its user wants nothing of it delivered yet (RFC 4865 §4)."""
        return self.hold_until is not None and self.hold_until > self.received_at

    def waiting(self) -> list[tuple[Recipient, bool]]:
        """All recipients of a message that is held back, each with whether it is ours, or leads away over ours."""
        return [
            (recipient, not any(remote.forwarder is None for remote in found.remotes))
            for recipient, found in zip(self.recipients, self.routes, strict=True)
        ]

    def news(self) -> list[News]:
        """What its sender asked to hear as soon as it is taken (RFC 3461 §4.1)."""
        if self.sender is None or self.is_held_back:
            return []
        if not any("SUCCESS" in recipient.notify for recipient in self.recipients):
            return []
        taken = [
            pair
            for n, pair in enumerate(zip(self.recipients, self.routes, strict=True))
            if n not in self.left_out
        ]
        return news(taken, self.received_at)

    def original(self, derived: Head) -> Original:
        """As notices tell of it."""
        return Original(
            self.id,
            str(self.sender or ""),
            self.received_at,
            None,
            self.ret,
            self.envid,
            derived.message_id,
            derived.subject,
            self.needs_tls,
        )

    def departures(self) -> list[Departure]:
        """The recipients elsewhere, each once."""
        return list(self._departures.values())

    def local_fields(self, body: Body) -> bytes:
        """The octets at the head of *body* that never leave."""
        return bytes(body.view()[: self.skip])

    def envelope(self, body: Body) -> Envelope:
        """What is the same for every copy that leaves.  Unless 8BITMIME was declared, *body* is read for it."""
        return self.envelope_of(body, self.skip)

    def envelope_of(self, body: Body, skip: int) -> Envelope:
        """The same of another *body*, of which the first *skip* octets stay here."""
        return Envelope(
            self.id,
            self.account.id if self.account is not None else None,
            self.sender,
            skip,
            body.size,
            self.is_8bit or not _is_ascii(body),
            self.smtputf8,
            self.needs_tls,
            self.ret,
            self.envid,
            self.received_at,
            self.hold_until if self.is_held_back else None,
            waives_tls=is_waived(body.view()),
        )

    def loop(self, body: Body, derived: Head, limits: Limits) -> Address | None:
        """The address of ours that passed this very message on before, and would do so again; None: there is none."""
        if not self._departures:
            return None
        return loops(self.header(body, derived, limits), self._departures.values())

    def begin(
        self, spool: Spool, hostname: str, now: int, limits: MimeLimits, *, hides_client: bool
    ) -> None:
        """The content is about to come: our fields go first (RFC 5321 §4.4).

        hides_client: of a user nothing is told but the domain of his account.
        """
        self.received_at = now
        instead = ""
        if self.account is not None:
            instead = self.account.address.rpartition("@")[2] if hides_client else ""
            self._submitted = Submitted(
                trace.date_time(now), f"<{self.id}@{hostname}>", limits.header_size
            )
        only = self.recipients[0].address if len(self.recipients) == 1 else None
        local = trace.local_fields(self.sender, only)
        head = local + trace.received(
            self.client,
            hostname=hostname,
            id=self.id,
            only=only,
            smtputf8=self.smtputf8,
            now=now,
            instead=instead,
        )
        self._spool = spool
        self.skip = len(local)
        self._head = len(head)
        spool.write(head)

    def write(self, piece: bytes, *, is_last: bool = False) -> None:
        """Content; raises OSError if the disk does."""
        if self._spool is None:
            raise RuntimeError("content before DATA")
        if not self.first:
            self.first = piece[:1]
        if self._submitted is not None:
            piece = self._submitted.feed(piece)
            if is_last:
                piece += self._submitted.end()
        self._spool.write(piece)

    def missing(self, size: int) -> int:
        """How many octets of memory are missing for *size* octets more; 0 where writing them touches no disk."""
        if self._spool is None:
            return 0
        if self._submitted is not None:
            size += self._submitted.more
        return max(self._spool.size + size - self._spool.memory, 0)

    @property
    def is_in_file(self) -> bool:
        """Its content goes into a file by now, all of it."""
        return self._spool is not None and self._spool.is_file

    def allow(self, memory: int) -> None:
        """So many octets of the content, in all, may stay in memory from now on."""
        if self._spool is not None:
            self._spool.memory = memory

    def size(self, body: Body) -> int:
        """Octets of the content alone (RFC 1870 §5)."""
        return body.size - self._head

    def finish(self) -> Body:
        """The message as it will be stored."""
        if self._spool is None:
            raise RuntimeError("no content")
        body = self._spool.finish()
        self._spool = None
        return body

    @property
    def start(self) -> int:
        """Where in the body the content begins that the client sent."""
        return self._head

    def judged(self, findings: Findings, marks: tuple[str, ...], trust: Trust) -> None:
        """What mail authentication found is known; recipients' domains decide."""
        self.findings = findings
        self.marks = marks
        for found in self.routes:
            if found.treatment not in self.decisions:
                self.decisions[found.treatment] = decide(findings, found.treatment, trust)

    def not_judged(self, why: str) -> None:
        """Mail authentication was not asked."""
        self._not_judged = why

    def complete(
        self, body: Body, hostname: str, limits: MimeLimits, folder: Path
    ) -> tuple[Body, int]:
        """*body* with what was found on top, and how many results are gone from it that pretended to be ours.

        Raises OSError; *body* is given up for the new one.
        """
        fields, ours = b"", {hostname}
        if self.findings is not None:
            fields = found_fields.fields(
                self.findings, str(self.sender or ""), self.marks, hostname
            )
            ours |= {recipient.address.domain for recipient in self.recipients}
        done, forged = completed(
            body, self.skip, self._head, fields, ours, limits.header_size, folder
        )
        self._head += len(fields)
        return done, forged

    def suspects(self) -> set[AccountId]:
        """The accounts that get it into Junk: no recipient that leads to them takes it as it is."""
        if are_accepted(tuple(self.decisions.values())):
            return set()
        taken: set[AccountId] = set()
        suspected: set[AccountId] = set()
        for found in self.routes:
            decision = self.decisions.get(found.treatment)
            is_taken = decision is None or softened(decision).action == "accept"
            (taken if is_taken else suspected).update(target.account for target in found.targets)
        return suspected - taken

    def discard(self) -> None:
        """Nothing of it is left behind; harmless at any time."""
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    def written_by(self, body: Body, derived: Head, limits: Limits) -> authors.Authors:
        """What its From and Sender fields say; in full only for a user's message, which has to be his.

        Nothing is read beyond the limit on header sections: a message with a larger one is refused for that.
        """
        header = self.header(body, derived, limits)
        return authors.read(header) if self.account is not None else authors.count(header)

    def header(self, body: Body, derived: Head, limits: Limits) -> bytes:
        """The header section as the client sent it."""
        end = min(derived.header_size, limits.mime.header_size)
        return bytes(body.view()[self._head : end])

    def examine(
        self,
        body: Body,
        derived: Head,
        found: authors.Authors,
        foreign: tuple[str, ...],
        limits: Limits,
    ) -> list[Verdict]:
        """The verdicts of the content's checks up to the first that refuses; they are kept in `verdicts`, too."""
        verdicts = check.run(
            Message(
                derived,
                found,
                self.first,
                body.size,
                self.account is not None,
                foreign,
                limits,
                self.findings,
                tuple(self.decisions.values()),
                self._not_judged,
            )
        )
        self.message_id = derived.message_id
        self.verdicts += verdicts
        return verdicts


def _away(
    known: dict[Address, Departure], recipient: Recipient, remotes: tuple[Remote, ...]
) -> dict[Address, Departure]:
    """*known* and those that *recipient* adds."""
    away = dict(known)
    for remote in remotes:
        at = normalise(remote.address)
        if remote.forwarder is None:
            away[at] = Departure(remote, recipient)
        else:
            away.setdefault(at, Departure(remote))
    return away


def _is_ascii(body: Body) -> bool:
    view = body.view()
    if isinstance(view, bytes) and body.size <= PIECE:
        return view.isascii()
    return all(view[at : at + PIECE].isascii() for at in range(0, body.size, PIECE))
