"""What follows from what mail authentication found: for each domain of ours as its administrator wants it.

Spec: RFC 9989 §5.4, §7.3; RFC 7208 §8; RFC 7372 §3.2, §3.4, §4.  Status: complete.
Deviates: RFC 9989 §7.4 wants no message refused for a policy of "reject" alone; here it is, unless somebody is trusted
to have passed it on, or the domain sets less.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from mailserver.mailauth.dmarc.record import Wish
from mailserver.mta.findings import REMEMBERED, Findings, Trust, vouched
from mailserver.smtp.reply import Reply

Action = Literal["accept", "quarantine", "later", "reject"]
_SPF_CODES = {"fail": "5.7.23", "softfail": "5.7.23", "permerror": "5.7.24"}  # RFC 7372 §3.2
_RANK: dict[Action, int] = {"accept": 0, "quarantine": 1, "later": 2, "reject": 3}


class Treatment(NamedTuple):
    """A domain's own wish.

    dmarc: the most that follows: "none", "tag", "quarantine", "reject".
    spf:   what follows from results of SPF alone; those not named are accepted.
    """

    dmarc: str = "reject"
    spf: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, dmarc: str, spf: str) -> "Treatment":
        """As the database keeps it: "reject", "fail=reject,softfail=quarantine"."""
        pairs = (part.partition("=") for part in spf.split(",") if part)
        return cls(dmarc, tuple((result, action) for result, _, action in pairs))


DEFAULT = Treatment()


class Decision(NamedTuple):
    """What becomes of the message for those with one treatment.

    by:       the check that decided; "" where nothing speaks against it.
    reply:    what the client would hear; None where it is taken.
    override: why the author's domain does not get what it wants: a type of RFC 9990 §3.1.7, and a reason.
    """

    action: Action
    by: str = ""
    reply: Reply | None = None
    override: tuple[str, str] | None = None


ACCEPTED = Decision("accept")  #: as most mail is


def decide(found: Findings, treatment: Treatment, trust: Trust) -> Decision:
    """The decision for recipients with *treatment*; DMARC before SPF, the stricter one counts."""
    make = _known if found.is_small else _decision
    return make(found, treatment, trust.forwarders, trust.sealers)


def _decision(
    found: Findings, treatment: Treatment, forwarders: frozenset[str], sealers: frozenset[str]
) -> Decision:
    kind, why = vouched(found, forwarders, sealers)
    by_dmarc = _by_dmarc(found, treatment)
    by_spf = _by_spf(found, treatment)
    if kind:
        wanted = by_dmarc.action != "accept" or by_dmarc.override is not None
        override = ("trusted_forwarder" if kind == "forwarder" else "local_policy", why)
        return Decision("accept", "dmarc" if wanted else "", None, override if wanted else None)
    if _RANK[by_spf.action] > _RANK[by_dmarc.action]:
        return by_spf._replace(override=by_dmarc.override)
    return by_dmarc


_known = lru_cache(maxsize=REMEMBERED)(_decision)


def are_accepted(decisions: Sequence[Decision]) -> bool:
    """Whether nothing speaks against the message anywhere, and no policy is passed over, as of most."""
    return decisions.count(ACCEPTED) == len(decisions)


def together(decisions: Sequence[Decision]) -> Decision | None:
    """The refusal of the whole message, where nobody takes it; None where somebody does."""
    if not decisions or any(one.reply is None for one in decisions):
        return None
    return min(decisions, key=lambda one: _RANK[one.action])


def softened(decision: Decision) -> Decision:
    """For those who would refuse a message that others take: Junk, as a notice would go to a stranger."""
    return decision._replace(action="quarantine", reply=None) if decision.reply else decision


def taken(decisions: Sequence[Decision]) -> Decision:
    """What becomes of a message that somebody takes: of all that follows, less refusals, what asks for most."""
    if are_accepted(decisions):
        return ACCEPTED
    return max(map(softened, decisions), key=lambda one: _RANK[one.action])


def _by_dmarc(found: Findings, treatment: Treatment) -> Decision:
    dmarc, domain = found.dmarc, found.dmarc.domain
    wanted: Wish = dmarc.disposition
    if dmarc.result == "fail" and dmarc.is_test and dmarc.published != "none":
        return Decision("accept", override=("policy_test_mode", "the domain only tests"))
    is_open = dmarc.result == "temperror" and dmarc.published != "none" and not dmarc.is_test
    if wanted == "none" and not is_open:
        return ACCEPTED
    if treatment.dmarc in ("none", "tag"):
        return Decision("accept", override=("local_policy", f"dmarc is {treatment.dmarc} here"))
    if is_open:
        text = f"DMARC of {domain} cannot be decided for now, try again later: {dmarc.reason}"
        return Decision("later", "dmarc", Reply(451, "4.7.1", _plain(text)))
    if wanted == "quarantine":
        return Decision("quarantine", "dmarc")
    if treatment.dmarc == "quarantine":
        override = ("local_policy", "nothing is refused here for DMARC")
        return Decision("quarantine", "dmarc", override=override)
    text = f"Rejected by the DMARC policy of {domain}: neither SPF nor DKIM speaks for it"
    return Decision("reject", "dmarc", Reply(550, "5.7.26", _plain(text)))


def _by_spf(found: Findings, treatment: Treatment) -> Decision:
    """A message that passes DMARC is its author's whatever SPF says: it may have been passed on."""
    if found.dmarc.result == "pass":
        return ACCEPTED
    result, domain = found.spf.result, found.spf.domain
    action = dict(treatment.spf).get(result, "accept")
    if action == "quarantine":
        return Decision("quarantine", "spf")
    if action != "reject":
        return ACCEPTED
    status = _SPF_CODES.get(result, "5.7.1")
    said = f" ({domain} explains: {found.spf.explanation})" if found.spf.explanation else ""
    text = f"SPF {result}: {found.spf.reason}{said}"
    return Decision("reject", "spf", Reply(550, status, _plain(text)))


def _plain(text: str) -> str:
    """*text* as a reply may carry it: printable ASCII, not endless."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:400]
