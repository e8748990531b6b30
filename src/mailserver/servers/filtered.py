"""What the plans of the Sieve scripts mean for one delivery: copies, what leaves, answers, refusals.

Spec: RFC 5228 §4, §2.10.6; RFC 5293 §7; RFC 5429 §2; RFC 5230 §4.  Status: complete.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from mailserver.base.errors import PeerError
from mailserver.base.ids import AccountId
from mailserver.base.limits import Limits
from mailserver.directory.resolve import domain_for
from mailserver.mime import compose
from mailserver.mime.derived import Derived
from mailserver.mime.headers import pick_fields, split_fields
from mailserver.mime.scan import derive
from mailserver.mta import vacation
from mailserver.mta.deliver import Edited, threshold
from mailserver.mta.filtering import JUNK, Copy, Plan
from mailserver.mta.leave import Departure, Leaving, loops
from mailserver.mta.notify import Terms, letter
from mailserver.mta.route import Remote, Target
from mailserver.mta.trace import date_time
from mailserver.servers.filters import Filters, Mail, message_of
from mailserver.servers.notifying import authors, carbon_of, notifying, wanted_authors
from mailserver.servers.work import Work
from mailserver.sieve.actions import Notify, Reject, Vacation
from mailserver.sieve.edited import Edited as Made
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.store.spool import Body, Spool
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account

Asked = TypeVar("Asked", Vacation, Notify)

TOLD_S = 86_400  #: a broken script is told of once a day


@dataclass(slots=True)
class Part:
    """What a plan means for one account.

    copies:    where it gets the message; each with what a script made of the message in it.
    sent_on:   to whom it goes, and what a script made of it, None as it came.
    rejection: why it is refused, if it is.
    also:      to be done in the same commit.          notes: for the trace.
    """

    target: Target
    copies: list[Copy] = field(default_factory=list)
    sent_on: list[tuple[Departure, Made | None]] = field(default_factory=list)
    rejection: Reject | None = None
    also: list[Callable[[Write], None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Post:
    """What answers and notices are made with.  token: a name that nothing else has."""

    terms: Terms
    token: Callable[[], str]
    now: int


async def filtered(
    work: Work,
    filters: Filters,
    mail: Mail,
    targets: Sequence[Target],
    recipients: Mapping[AccountId, Address],
    header: bytes,
    post: Post,
    suspects: Collection[AccountId] = (),
) -> dict[AccountId, Part]:
    """The parts of those *targets* whose scripts have something to say, in the delivery of *mail*; others just get it.

    recipients: of each target the address that led to it.
    header:     as it came from outside, in which a loop shows.
    suspects:   who gets it into Junk, unless a script files it explicitly; nobody is answered for them.
    Raises MailError of the store.
    """
    plans = await filters.plans(mail, targets, recipients, post.now)
    if not plans:
        return {}
    wanted = {r.address for plan in plans.values() for r in plan.redirects}
    places = await work.read(lambda tx: _places(tx, wanted, post.now)) if wanted else {}
    claims = {claim for account in plans for claim in wanted_authors(account, plans[account])}
    hostname = post.terms.hostname
    allowed = await work.read(lambda tx: authors(tx, claims, hostname)) if claims else set()
    parts = {}
    for target in targets:
        plan = plans.get(target.account)
        if plan is None or target.owner is None:
            continue
        part = parts[target.account] = Part(target, notes=list(plan.notes))
        own = Address(target.owner.localpart, target.owner.domain)
        if plan.rejection is not None and mail.sender is not None:
            part.rejection = plan.rejection
        elif plan.rejection is not None:
            part.copies.append(Copy(is_implicit=True))
            part.notes.append("kept: nobody would hear of the refusal")
        else:
            part.copies += plan.copies
        _send_on(part, own, plan, header, places)
        _remember(part, plan)
        if target.account in suspects:
            _suspect(part, plan)
        elif plan.answer is not None:
            recipient = recipients[target.account]
            answer = _as_allowed(part, plan.answer, allowed)
            _answer(part, mail, target.owner, recipient, answer, post)
        for notify in plan.notifications:
            job, why = notifying(
                _as_allowed(part, notify, allowed), mail, target, target.owner, post
            )
            part.also += [] if job is None else [job]
            part.notes += [f"not notified: {why}"] if why else []
        if plan.error:
            _complain(part, mail, own, plan.error, post)
    return parts


def _as_allowed(part: Part, asked: Asked, allowed: Collection[tuple[AccountId, str]]) -> Asked:
    """What was asked for, as the user himself where he may not write as whom it says."""
    if not asked.sender or (part.target.account, asked.sender) in allowed:
        return asked
    part.notes.append(f"not as {asked.sender}: the user may not write as that address")
    return replace(asked, sender="")


def _suspect(part: Part, plan: Plan) -> None:
    """What no script has filed goes into Junk, and no answer to somebody who may never have written."""
    part.copies = [
        JUNK._replace(flags=c.flags, keywords=c.keywords, edited=c.edited) if c.is_implicit else c
        for c in part.copies
    ]
    if plan.answer is not None:
        part.notes.append("not answered: the message may be forged")


def _places(tx: Read, addresses: set[str], now: int) -> dict[str, bool | None]:
    """Of each address whether it is ours; None: nothing is sent there."""
    out: dict[str, bool | None] = {}
    for text in addresses:
        try:
            address = parse_mailbox(text)
        except PeerError:  # what variables made of it
            out[text] = None
            continue
        domain = domain_for(tx, address.domain)
        is_ours = domain is not None and not domain.is_backup
        is_closed = not is_ours and tx.suppressions.find(str(address), now) is not None
        out[text] = None if is_closed else is_ours
    return out


def _send_on(
    part: Part, own: Address, plan: Plan, header: bytes, places: Mapping[str, bool | None]
) -> None:
    """Redirects; what cannot be sent on is kept (RFC 5228 §4.2, §10)."""
    for redirect in plan.redirects:
        is_ours = places[redirect.address]
        if is_ours is not None:
            address = parse_mailbox(redirect.address)
            remote = Remote(address, own, part.target.account, str(own), is_ours=is_ours)
            departure = Departure(remote)
            if loops(header, [departure]) is None:
                part.sent_on.append((departure, redirect.edited))
                continue
        why = "nothing is sent there" if is_ours is None else "it has been there: a loop"
        part.notes.append(f"not sent on to {redirect.address}: {why}; kept")
        if not part.copies:
            part.copies.append(Copy(is_implicit=True))


def _remember(part: Part, plan: Plan) -> None:
    """What the scripts saw, for the next time (RFC 7352 §3)."""
    if plan.seen:
        account, seen = part.target.account, plan.seen

        def note(tx: Write) -> None:
            for key, seconds in seen:
                tx.sieve_memory.note(account, key, tx.now + seconds, renews=True)

        part.also.append(note)


def _answer(
    part: Part, mail: Mail, owner: Account, recipient: Address, answer: Vacation, post: Post
) -> None:
    """Tells the sender of an absence, once within the time, if he is one to be told."""
    own = Address(owner.localpart, owner.domain)
    message, sender = message_of(mail), mail.sender
    why = vacation.why_not(answer, message, sender, {str(own).lower(), str(recipient).lower()})
    if why or sender is None:
        part.notes.append(f"not answered: {why}")
        return
    id = post.token()
    data = vacation.compose_answer(answer, message, sender, own, owner.name, id=id, now=post.now)
    key = vacation.key(answer, sender)
    notice = letter(id, mail.trace, sender, data, post.terms, written_by=owner.id)
    carbon = carbon_of(answer.carbon, part.target, data, post)
    account, seconds = part.target.account, answer.seconds

    def send(tx: Write) -> None:
        if seconds == 0 or tx.sieve_memory.note(account, key, tx.now + seconds):
            notice.file(tx)
            carbon(tx)

    part.also.append(send)


def _complain(part: Part, mail: Mail, own: Address, error: str, post: Post) -> None:
    """Tells the owner what is wrong with his script, once a day (RFC 5228 §2.10.6)."""
    id = post.token()
    text = (
        f"Your mail filter has a mistake, so that new mail is kept in your inbox:\r\n\r\n    {error}\r\n\r\n"
        "Please mend or deactivate the script.  You are told of it once a day at most.\r\n"
    )
    fields = (
        ("From", f"Mail filter <postmaster@{post.terms.hostname}>"),
        ("To", str(own)),
        ("Subject", "Your mail filter has a mistake"),
        ("Date", date_time(post.now)),
        ("Message-ID", f"<{id}@{post.terms.hostname}>"),
        ("Auto-Submitted", "auto-generated"),
    )
    head = b"".join(compose.field(name, value) for name, value in fields)
    message = head + b"MIME-Version: 1.0\r\n" + compose.text_part(text)
    notice = letter(id, mail.trace, own, message, post.terms)
    account = part.target.account

    def tell(tx: Write) -> None:
        if tx.sieve_memory.note(account, f"error {error}"[:500], tx.now + TOLD_S):
            notice.file(tx)

    part.also.append(tell)


# what the parts of all accounts are together


@dataclass(slots=True)
class Together:
    """copies, departures: of the message as it is.      edited: as scripts made it -> the same two.

    also: to be done in the same commit.
    """

    copies: list[tuple[Target, Copy]] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)
    edited: dict[Made, tuple[list[tuple[Target, Copy]], list[Departure]]] = field(
        default_factory=dict
    )
    also: list[Callable[[Write], None]] = field(default_factory=list)


def together(parts: Iterable[Part]) -> Together:
    """All *parts* of those who do not refuse the message, by what of it they get."""
    out = Together()
    for part in parts:
        if part.rejection is not None:
            continue
        out.also += part.also
        for copy in part.copies:
            if copy.edited is None:
                out.copies.append((part.target, copy))
            else:
                out.edited.setdefault(copy.edited, ([], []))[0].append((part.target, copy))
        for departure, made in part.sent_on:
            if made is None:
                out.departures.append(departure)
            else:
                out.edited.setdefault(made, ([], []))[1].append(departure)
    return out


async def variants(
    work: Work,
    folder: Path,
    limits: Limits,
    mail: Mail,
    found: Together,
    *,
    local: bytes,
    leave: Callable[[Body, Derived, Sequence[Departure]], Sequence[Leaving]],
) -> list[Edited]:
    """The message once more for each that scripts made of it.

    local: the fields at its head that never leave.     leave: gives what the queue gets of it.
    Raises MailError of the store.
    """
    out: list[Edited] = []
    for made, (copies, departures) in found.edited.items():
        if copies:
            body, derived = await work.thread(partial(_rewritten, mail, made, folder, limits))
            prepared = await work.prepare(body, threshold([target for target, _ in copies]))
            out.append(Edited(prepared, derived, copies))
        if departures:
            without = _leaving(mail, made, local)
            body, derived = await work.thread(partial(_rewritten, mail, without, folder, limits))
            away = leave(body, derived, departures)
            prepared = await work.prepare(body, threshold([]))
            out.append(Edited(prepared, derived, (), away))
    return out


def _leaving(mail: Mail, made: Made, local: bytes) -> Made:
    """*made* for others: without what is *local*, and without what was found of another content or author.

    What stands there is vouched for by the seal that it leaves with (RFC 8617 §5.1).
    """
    header = made.header.replace(local, b"", 1)
    came = split_fields(mail.raw[: mail.derived.header_size])
    if made.body is not None or _authors(came) != _authors(split_fields(header)):
        header = pick_fields(header, {b"authentication-results"}, others=True) + b"\r\n"
    return replace(made, header=header)


def _authors(fields: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    return [b"".join(field.split()) for name, field in fields if name.lower() == b"from"]


def _rewritten(mail: Mail, made: Made, folder: Path, limits: Limits) -> tuple[Body, Derived]:
    """The message as *made*."""
    spool = Spool(folder, limits.connections.spool_memory)
    try:
        for piece in made.pieces(mail.derived.header_size, mail.size):
            spool.write(piece if isinstance(piece, bytes) else mail.raw[piece.start : piece.end])
        body = spool.finish()
    finally:
        spool.discard()
    return body, derive(body.view(), limits.mime)
