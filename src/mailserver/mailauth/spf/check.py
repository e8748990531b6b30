"""check_host: what a domain's record says of a client.

Spec: RFC 7208 §4, §5, §6; RFC 8616 §4.  Status: complete.

Every verdict says in words how it came about.  What a stranger's record may cost is bounded: terms that ask the DNS,
answers that are empty, names of an answer, octets of a record, depth.  The time that look-ups take is bounded by
whoever calls, as no clock runs here.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.base.limits import SpfLimits
from mailserver.mailauth.resolver import LookupFailed, NoSuchDomain, Resolver, Trouble
from mailserver.mailauth.spf import macros, record
from mailserver.mailauth.spf.client import Address, Client, client_of
from mailserver.mailauth.spf.macros import PERSONAL, MacroString
from mailserver.mailauth.spf.names import a_labels, fitting, is_domain, is_name
from mailserver.mailauth.spf.record import Directive, Qualifier, Record
from mailserver.mailauth.spf.result import Identity, Outcome, SpfResult, said

_OUTCOMES: dict[Qualifier, Outcome] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_DEEPEST = (
    20  #: records in records; `limits.lookups` ends it sooner unless somebody sets that very high
)


async def check_host(
    resolver: Resolver,
    ip: Address,
    domain: str,
    sender: str,
    helo: str,
    *,
    limits: SpfLimits,
    receiver: str,
    now: float,
    identity: Identity = "mailfrom",
) -> SpfResult:
    """What *domain* says of a client at *ip* that sends as *sender* (RFC 7208 §4).

    receiver: who checks, for explanations; now: UTC epoch seconds.  Never raises for what the DNS says.
    """
    name = a_labels(domain)
    if not is_domain(name):
        text = f"{record.shown(domain)} is no domain that could have a record"
        return SpfResult("none", said(text), "", identity=identity)
    check = _Check(resolver, client_of(ip, sender, helo, receiver, now), limits)
    try:
        verdict = await check.run(name, 0)
    except _Stopped as error:
        reason = said(str(error))
        return SpfResult(
            error.result, reason, name, identity=identity, is_personal=check.is_personal
        )
    explanation = ""
    if verdict.result == "fail" and verdict.exp is not None:
        explanation = await check.explain(verdict.exp, verdict.domain)
    reason = said(verdict.reason)
    return SpfResult(
        verdict.result,
        reason,
        name,
        explanation,
        verdict.mechanism,
        identity,
        check.is_personal,
    )


class _Stopped(Exception):
    """Nothing further is looked at: the record is wrong, or the DNS does not answer."""

    def __init__(self, result: Outcome, text: str) -> None:
        super().__init__(text)
        self.result = result


class _Verdict(NamedTuple):
    """What one record says.

    way:    which term of whose record decided.
    exp:    where the explanation is, and the domain that its macros mean.
    """

    result: Outcome
    reason: str
    way: str
    mechanism: str
    exp: MacroString | None
    domain: str


class _Check:
    """One evaluation, with what it has cost so far.

    is_personal: it has looked at more of the sender than his domain, at the client's name, or at the clock.
    """

    def __init__(self, resolver: Resolver, client: Client, limits: SpfLimits) -> None:
        self._resolver = resolver
        self._client = client
        self._limits = limits
        self._lookups = 0
        self._voids = 0
        self._names: tuple[str, ...] | None = None
        self.is_personal = False

    async def run(self, domain: str, depth: int) -> _Verdict:
        """What *domain* says.  Raises _Stopped."""
        if depth > _DEEPEST:
            raise _Stopped("permerror", f"{domain} is included too deep")
        found = await self._record(domain)
        if isinstance(found, str):
            return _Verdict("none", found, "", "", None, domain)
        who = self._client.address
        for one in found.directives:
            inner = await self._match(one, domain, depth)
            if inner is not None:
                way = f"{one} of {domain}{inner and ', by ' + inner}"
                result = _OUTCOMES[one.qualifier]
                reason = f"{who} matches {way}"
                return _Verdict(result, reason, way, one.mechanism, found.exp, domain)
        if found.redirect is not None:
            return await self._redirect(found.redirect, domain, depth)
        way = f"the end of the record of {domain}"
        reason = f"nothing in the record of {domain} matches {who}"
        return _Verdict("neutral", reason, way, "default", None, domain)

    async def explain(self, spec: MacroString, domain: str) -> str:
        """The domain's own words; "" without any that can be shown (RFC 7208 §6.2)."""
        try:
            target = await self._target(spec, domain, is_term=False)
            if not target:
                return ""
            texts = (await self._resolver.txt(target)).values
            if len(texts) != 1 or len(texts[0]) > self._limits.record_size:
                return ""
            text = macros.parse(texts[0].decode("ascii"), is_explanation=True)
            self.is_personal |= not PERSONAL.isdisjoint(text.letters)
            words = await self._expand(text, domain, is_term=False)
        except (LookupFailed, PeerError, UnicodeDecodeError):
            return ""
        is_shown = words.isascii() and words.isprintable()
        return words[: self._limits.explanation_size] if is_shown else ""

    # -- records

    async def _record(self, domain: str) -> Record | str:
        """The record of *domain*, or why it has none (RFC 7208 §4.4, §4.5)."""
        try:
            answer = await self._resolver.txt(domain)
        except Trouble as error:
            raise _Stopped("temperror", f"the record of {domain} cannot be had: {error}") from error
        except NoSuchDomain:
            return f"{domain} does not exist"
        except LookupFailed:
            return f"{domain} has no SPF record"
        texts = [text for text in answer.values if record.is_record(text)]
        if not texts:
            return f"{domain} has no SPF record"
        if len(texts) > 1:
            raise _Stopped("permerror", f"{domain} has {len(texts)} SPF records")
        if len(texts[0]) > self._limits.record_size:
            raise _Stopped("permerror", f"the record of {domain} is too long")
        try:
            return record.parse(texts[0])
        except PeerError as error:
            raise _Stopped("permerror", f"the record of {domain} is wrong: {error}") from error

    async def _redirect(self, spec: MacroString, domain: str, depth: int) -> _Verdict:
        """RFC 7208 §6.1."""
        self._count(domain)
        target = await self._target(spec, domain)
        if not target:
            raise _Stopped("permerror", f"redirect={spec} of {domain} leads to no domain")
        verdict = await self.run(target, depth + 1)
        if verdict.result == "none":
            text = f"redirect={spec} of {domain} leads nowhere: {verdict.reason}"
            raise _Stopped("permerror", text)
        way = f"redirect={spec} of {domain}"
        return verdict._replace(
            reason=f"{verdict.reason}, by {way}", way=f"{verdict.way}, by {way}"
        )

    # -- mechanisms

    async def _match(self, one: Directive, domain: str, depth: int) -> str | None:
        """None when *one* does not match; else what it included that did, or "" (RFC 7208 §5)."""
        if one.name == "all":
            return ""
        if one.network is not None:
            bits = one.four if one.name == "ip4" else one.six
            return "" if self._client.is_within(one.network, bits) else None
        self._count(domain)
        target = domain if one.spec is None else await self._target(one.spec, domain)
        if target is None:
            return None
        if one.name == "include":
            return await self._include(one, target, domain, depth)
        if not target:  # no name at all: undefined, and for us like one that does not exist (§4.8)
            return None
        if one.name == "a":
            matches = self._any_within(one, await self._addresses(target, is_void=True))
        elif one.name == "mx":
            matches = await self._mx(one, target)
        elif one.name == "exists":
            matches = await self._exists(target)
        else:
            matches = await self._ptr(target)
        return "" if matches else None

    async def _include(self, one: Directive, target: str, domain: str, depth: int) -> str | None:
        """The table of RFC 7208 §5.2."""
        if not target:
            raise _Stopped("permerror", f"{one.mechanism} of {domain} leads to no domain")
        verdict = await self.run(target, depth + 1)
        if verdict.result == "none":
            text = f"{one.mechanism} of {domain} leads nowhere: {verdict.reason}"
            raise _Stopped("permerror", text)
        return verdict.way if verdict.result == "pass" else None

    async def _mx(self, one: Directive, target: str) -> bool:
        """RFC 7208 §5.4."""
        try:
            hosts = (await self._resolver.mx(target)).values
        except Trouble as error:
            raise _Stopped("temperror", str(error)) from error
        except LookupFailed:
            self._void()
            return False
        if len(hosts) > self._limits.names:
            raise _Stopped("permerror", f"{target} has more than {self._limits.names} MX records")
        for _, host in hosts:
            if is_name(host) and self._any_within(one, await self._addresses(host)):
                return True
        return False

    async def _exists(self, target: str) -> bool:
        """RFC 7208 §5.7: whatever the address, and by IPv4 whatever the client."""
        try:
            await self._resolver.a(target)
        except Trouble as error:
            raise _Stopped("temperror", str(error)) from error
        except LookupFailed:
            self._void()
            return False
        return True

    async def _ptr(self, target: str) -> bool:
        """RFC 7208 §5.5."""
        target = target.lower()
        below = f".{target}"
        names = await self._validated(is_void=True)
        return any(name == target or name.endswith(below) for name in names)

    def _any_within(self, one: Directive, addresses: tuple[Address, ...]) -> bool:
        bits = one.four if self._client.address.version == 4 else one.six
        return any(self._client.is_within(address, bits) for address in addresses)

    # -- questions

    def _count(self, domain: str) -> None:
        """One more term that asks the DNS (RFC 7208 §4.6.4)."""
        self._lookups += 1
        if self._lookups > self._limits.lookups:
            text = (
                f"more than {self._limits.lookups} terms ask the DNS, the last of them of {domain}"
            )
            raise _Stopped("permerror", text)

    def _void(self) -> None:
        """One more term that found nothing."""
        self._voids += 1
        if self._voids > self._limits.voids:
            text = f"more than {self._limits.voids} terms ask the DNS for what is not there"
            raise _Stopped("permerror", text)

    async def _addresses(self, name: str, *, is_void: bool = False) -> tuple[Address, ...]:
        """Those of the client's kind.  is_void: to find none is counted."""
        try:
            if isinstance(self._client.address, IPv4Address):
                return (await self._resolver.a(name)).values
            return (await self._resolver.aaaa(name)).values
        except Trouble as error:
            raise _Stopped("temperror", str(error)) from error
        except LookupFailed:
            if is_void:
                self._void()
            return ()

    async def _validated(self, *, is_void: bool) -> tuple[str, ...]:
        """The names of the client that lead back to it, in lower case (RFC 7208 §5.5)."""
        if self._names is None:
            self._names = ()
            try:
                names = (await self._resolver.ptr(self._client.address)).values
            except LookupFailed as error:
                if is_void and not isinstance(error, Trouble):
                    self._void()
                names = ()
            found = []
            for name in names[: self._limits.names]:
                try:
                    if is_name(name) and self._client.address in await self._addresses(name):
                        found.append(name.lower())
                except _Stopped:  # this name is passed over
                    continue
            self._names = tuple(found)
        return self._names

    # -- macros

    async def _target(self, spec: MacroString, domain: str, *, is_term: bool = True) -> str | None:
        """The name that *spec* means in a record of *domain*; "": none; None: it can match nothing (RFC 8616 §4)."""
        self.is_personal |= not PERSONAL.isdisjoint(spec.letters)
        if self._client.is_utf8 and not spec.letters.isdisjoint("sl"):
            return None
        expanded = await self._expand(spec, domain, is_term=is_term)
        name = fitting(expanded.removesuffix("."))
        return name if is_name(name) else ""

    async def _expand(self, spec: MacroString, domain: str, *, is_term: bool) -> str:
        """is_term: to ask for the client's names counts, unless they are known (RFC 7208 §4.6.4)."""
        if not spec.letters:
            return spec.expand({})
        values = {**self._client.values, "d": domain}
        if "p" in spec.letters:
            if is_term and self._names is None:
                self._count(domain)
            values["p"] = await self._best_name(domain)
        return spec.expand(values)

    async def _best_name(self, domain: str) -> str:
        """%{p}: the domain itself, else a name below it, else any (RFC 7208 §7.3)."""
        names, below = await self._validated(is_void=False), f".{domain.lower()}"
        ranked = sorted(names, key=lambda name: (name != below[1:], not name.endswith(below)))
        return ranked[0] if ranked else "unknown"
