"""What an aggregate report says of the mail of one domain: what was published, and what was seen.

Spec: RFC 9990 §3.1; RFC 9989 §4.7.  Status: complete.

Domains are A-labels in lower case.  Everything that strangers wrote is cut to a length by `Row.bounded`.
"""

from typing import NamedTuple

SIGNATURES = 100  #: of one row (RFC 9990 §3.1.3)
TEXT = 200  #: characters of a text for people
NAME = 253  #: characters of a domain
SELECTOR = 63


class Published(NamedTuple):
    """The policy that was found for a domain (RFC 9990 §3.1.1.5).

    domain:    where the record stands.
    fo:        as published, "0" unless said.
    discovery: "treewalk" or "psl"; "" where nobody said.
    percent:   of the older form only; None where it was not there.
    """

    domain: str
    p: str = "none"
    sp: str = ""
    np: str = ""
    adkim: str = "r"
    aspf: str = "r"
    fo: str = ""
    is_testing: bool = False
    discovery: str = "treewalk"
    percent: int | None = None


class Reason(NamedTuple):
    """Why the policy was not applied (RFC 9990 §3.1.6).

    type: "local_policy", "mailing_list", "other", "policy_test_mode" or "trusted_forwarder".
    """

    type: str
    comment: str = ""


class DkimSeen(NamedTuple):
    """A signature and its result (RFC 8601 §2.7.1)."""

    domain: str
    selector: str
    result: str
    text: str = ""


class SpfSeen(NamedTuple):
    """The domain of MAIL FROM, or of HELO where that is empty, and its result (RFC 8601 §2.7.2).

    scope: "mfrom" or "helo".
    """

    domain: str
    result: str
    scope: str = "mfrom"
    text: str = ""


class Row(NamedTuple):
    """Messages that are alike: they are counted together.

    source:        the client's address, in its usual form.
    envelope_from: the domain of MAIL FROM; "" of the null one, None where nobody said.
    disposition:   what was done: "none", "quarantine", "reject", or "pass" under one of these.
    is_dkim_aligned, is_spf_aligned: as DMARC counts them.
    """

    source: str
    header_from: str
    envelope_from: str | None
    disposition: str
    is_dkim_aligned: bool
    is_spf_aligned: bool
    envelope_to: str = ""
    reasons: tuple[Reason, ...] = ()
    dkim: tuple[DkimSeen, ...] = ()
    spf: tuple[SpfSeen, ...] = ()

    @property
    def passes(self) -> bool:
        """DMARC passes."""
        return self.is_dkim_aligned or self.is_spf_aligned

    def bounded(self) -> "Row":
        """The same within bounds: the most telling signatures first, long texts cut (RFC 9990 §3.1.3)."""
        if self._is_small:
            return self
        ranked = sorted(self.dkim, key=self._rank)[:SIGNATURES]
        return self._replace(
            header_from=self.header_from[:NAME],
            envelope_from=None if self.envelope_from is None else self.envelope_from[:NAME],
            envelope_to=self.envelope_to[:NAME],
            reasons=tuple(Reason(r.type, r.comment[:TEXT]) for r in self.reasons[:SIGNATURES]),
            dkim=tuple(
                DkimSeen(d.domain[:NAME], d.selector[:SELECTOR], d.result, d.text[:TEXT])
                for d in ranked
            ),
            spf=tuple(
                SpfSeen(s.domain[:NAME], s.result, s.scope, s.text[:TEXT]) for s in self.spf[:10]
            ),
        )

    @property
    def _is_small(self) -> bool:
        """Whether nothing of it is beyond any bound, and there is nothing to be ranked, as of most."""
        texts = [self.header_from, self.envelope_from or "", self.envelope_to]
        for one in (*self.dkim, *self.spf, *self.reasons):
            texts += one
        return len(self.dkim) < 2 and len(texts) < 20 and max(map(len, texts)) <= SELECTOR

    def _rank(self, one: DkimSeen) -> int:
        if one.result != "pass":
            return 3
        domain, ours = one.domain.lower(), self.header_from.lower()
        if domain == ours:
            return 0
        return 1 if ours.endswith("." + domain) or domain.endswith("." + ours) else 2


class Seen(NamedTuple):
    """One message from a domain that asks for reports.

    rua: as published, the URIs with their sizes: ("mailto:reports@example.org!10m",).
    """

    published: Published
    rua: tuple[str, ...]
    row: Row

    def bounded(self) -> "Seen":
        """The same within bounds, as `Row.bounded` has them."""
        row = self.row.bounded()
        return self if row is self.row else self._replace(row=row)


class Counted(NamedTuple):
    """A row and how many messages were like it."""

    row: Row
    messages: int


class Aggregate(NamedTuple):
    """A report on one domain (RFC 9990 §3.1.1).

    begin, end: UTC epoch seconds of its period.
    errors:     what was wrong with the policy.
    generator:  the program that made it.
    """

    org: str
    email: str
    report_id: str
    begin: int
    end: int
    published: Published
    records: tuple[Counted, ...]
    contact: str = ""
    errors: tuple[str, ...] = ()
    generator: str = ""

    @property
    def messages(self) -> int:
        """How many it is about."""
        return sum(one.messages for one in self.records)

    @property
    def passed(self) -> int:
        """How many of them passed DMARC."""
        return sum(one.messages for one in self.records if one.row.passes)
