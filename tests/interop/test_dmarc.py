"""Our verdicts beside OpenDMARC's and PyPI's `dmarc`: the same record, the same proofs, the same end."""

import asyncio
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import dmarc
import pytest

from mailauth.zone import Zone
from mailserver.mailauth.dmarc.discover import discover, organizations
from mailserver.mailauth.dmarc.judge import Proof, judge

HERE = Path(__file__).parent

POLICIES = ("none", "quarantine", "reject")
DOMAINS = ("example.com", "mail.example.com", "a.mail.example.com", "other.com", "notexample.com")


class Case(NamedTuple):
    """author: the domain in From; the record stands at example.com."""

    record: str
    author: str
    spf: tuple[str, str] | None
    dkim: tuple[tuple[str, str], ...]


def cases() -> list[Case]:
    """Every wish beside every alignment, and a choice of proofs."""
    spfs = [None, *((result, domain) for result in ("pass", "softfail") for domain in DOMAINS)]
    dkims = [(), (("fail", "example.com"),), *((("pass", domain),) for domain in DOMAINS)]
    proofs = [(spf, dkim) for spf in spfs for dkim in dkims]
    wishes = itertools.product(POLICIES, ("", *POLICIES), "rs", "rs", DOMAINS[:3])
    out = []
    for n, (p, sp, adkim, aspf, author) in enumerate(wishes):
        record = f"v=DMARC1; p={p}{f'; sp={sp}' if sp else ''}; adkim={adkim}; aspf={aspf}; x=y"
        out += [Case(record, author, *one) for one in proofs[n % 3 :: 3]]
    return out


def ours(case: Case) -> str:
    async def run() -> str:
        zone = Zone(f'_dmarc.example.com TXT "{case.record}"')
        for domain in DOMAINS:
            zone.add(f"{domain} A 192.0.2.1")
        found = await discover(zone, case.author)
        proofs = [Proof("spf", *case.spf)] if case.spf else []
        proofs += [Proof("dkim", *one) for one in case.dkim]
        theirs = await organizations(zone, found, [proof.domain for proof in proofs])
        said = judge(found, proofs, theirs)
        return "pass" if said.result == "pass" else said.disposition

    return asyncio.run(run())


def of_opendmarc(asked: list[Case], folder: Path) -> list[str]:
    lines = "".join(
        json.dumps(
            {
                "record": case.record,
                "domain": case.author,
                "organization": None if case.author == "example.com" else "example.com",
                "spf": case.spf,
                "dkim": case.dkim,
            }
        )
        + "\n"
        for case in asked
    )
    done = subprocess.run(
        [sys.executable, HERE / "opendmarc.py", folder],
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_strict_kin(case: Case) -> bool:
    """Whether OpenDMARC is known to be wrong: its strict alignment lets domains pass that only belong together.

    RFC 9989 §4.4.1, §4.4.2: strict means the same name.
    """
    passed = [(case.spf[1], "aspf=s")] if case.spf and case.spf[0] == "pass" else []
    passed += [(domain, "adkim=s") for result, domain in case.dkim if result == "pass"]
    return any(
        tag in case.record and domain != case.author and domain in DOMAINS[:3]
        for domain, tag in passed
    )


@pytest.mark.needs("opendmarc")
@pytest.mark.rfc(9989, "4.4")
def test_beside_opendmarc(tmp_path: Path) -> None:
    asked = [case for case in cases() if not is_strict_kin(case)]
    said = of_opendmarc(asked, tmp_path)
    assert len(said) == len(asked) > 500
    unlike = [
        (case, mine, theirs)
        for case, theirs in zip(asked, said, strict=True)
        if (mine := ours(case)) != theirs
    ]
    assert not unlike, unlike[:5]


class Suffixes:
    """What PyPI's `dmarc` asks for the organization of a domain."""

    def get_public_suffix(self, domain: str) -> str:
        return ".".join(domain.split(".")[-2:])


def of_pypi(case: Case) -> str:
    judge = dmarc.DMARC(Suffixes())
    organization = None if case.author == "example.com" else "example.com"
    policy = judge.parse_record(case.record, case.author, organization)
    found = dmarc.AuthResults(
        spf=case.spf and dmarc.SPF(case.spf[1], dmarc.SPFResult(case.spf[0])),
        dkim=[dmarc.DKIM(domain, dmarc.DKIMResult(result)) for result, domain in case.dkim],
    )
    said = judge.get_result(policy, auth_results=found)
    return "pass" if said.result is dmarc.DMARCResult.PASS else said.disposition.value


@pytest.mark.rfc(9989, "4.4")
def test_beside_pypis_dmarc() -> None:
    unlike = [
        (case, mine, theirs)
        for case in cases()
        if (mine := ours(case)) != (theirs := of_pypi(case))
    ]
    assert not unlike, unlike[:5]


def test_the_cases_have_all_ends() -> None:
    ends = {ours(case) for case in cases()}
    assert ends == {"pass", "none", "quarantine", "reject"}
