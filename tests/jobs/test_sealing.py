"""What is passed on for others is sealed by the domain that passes it on, with what was found when it came."""

import asyncio

import dkim as dkimpy
import pytest

from jobs.post_office import HOST, post_office, to
from jobs.test_signing import keys_of
from mailauth.dkim.signing import RSA as ELSEWHERE
from mailauth.dkim.signing import record, split
from mailauth.zone import Zone
from mailserver.base.limits import DkimLimits
from mailserver.directory import dkim_keys
from mailserver.mailauth.arc.passing import found_before
from mailserver.mailauth.arc.seal import seal
from mailserver.mailauth.arc.verify import ArcResult, Chain
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import look_up
from misbehaving import NextHop

NOW = 2_000_000_000
WRITTEN = b"From: a@bank.example\r\nTo: away@example.test\r\nSubject: x\r\n\r\nhello\r\n"
FOUND = (
    f"Authentication-Results: {HOST}; spf=pass\r\n\t\tsmtp.mailfrom=a@bank.example;\r\n\t"
    "dmarc=pass (aligned)\r\n\t\theader.from=bank.example"
).encode()
PREFIX = b"Delivered-To: away@example.test\r\n"


def passed_on(raw, folder, prefix=PREFIX, **more):
    """What a next hop gets of *raw*, and the DNS with our keys in it."""

    async def main():
        with NextHop() as hop:
            async with post_office(folder, started=False) as office:
                keys = await keys_of(office)
                office.start()
                more.setdefault("origin", "forwarded")
                await office.put(to(hop), raw=raw, prefix=prefix, **more)
                await office.until("delivered")
        (message,) = hop.messages
        return message.content, keys

    content, keys = asyncio.run(asyncio.wait_for(main(), 40))
    records = {key.name: dkim_keys.record(key) for key in keys}
    records[ELSEWHERE.record_name] = record(ELSEWHERE).partition('"')[2].rstrip('"')
    return content, records


def chain(content, records):
    header, body = split(content)
    message = Message(header)
    found = Chain(message, now=NOW)
    message.feed(body)
    zone = Zone("\n".join(f'{name} TXT "{text}"' for name, text in records.items()))
    keys = {name: asyncio.run(look_up(zone, name, DkimLimits())) for name in found.names}
    return found.result(keys)


@pytest.mark.rfc(8617, "5.1")
@pytest.mark.parametrize("size", [1, 100_000], ids=["small", "large"])
def test_a_forward_is_sealed(tmp_path, size):
    raw = FOUND + b"\r\n" + WRITTEN + b"a line\r\n" * size
    content, records = passed_on(raw, tmp_path)
    assert content.endswith(PREFIX + raw)
    found = chain(content, records)
    assert (found.result, found.sealers) == ("pass", ("example.test",))
    assert b"dmarc=pass" in found.results[0]
    assert b"header.from=bank.example" in found.results[0]
    said = {f"{name}.".encode(): text.encode() for name, text in records.items()}
    theirs = dkimpy.arc_verify(content, dnsfunc=lambda name, timeout=5: said[bytes(name)])
    assert theirs[0] == dkimpy.CV_Pass


@pytest.mark.rfc(8617, "5.1.1", "5.1.2")
@pytest.mark.parametrize(
    ("said", "result", "sealers"),
    [("arc=pass", "pass", ("example.org", "example.test")), ("arc=fail", "fail", ())],
)
def test_a_chain_goes_on_as_it_was_found(tmp_path, said, result, sealers):
    header, _, body = WRITTEN.partition(b"\r\n\r\n")
    first = seal(
        header + b"\r\n\r\n",
        [body],
        ELSEWHERE,
        authserv_id="mx.elsewhere.example",
        results_text="dmarc=pass header.from=bank.example",
        chain=ArcResult("none", ""),
        now=1_000,
    )
    content, records = passed_on(FOUND + f"; {said}\r\n".encode() + first + WRITTEN, tmp_path)
    found = chain(content, records)
    assert (found.result, found.sealers) == (result, sealers)
    assert found.instance == 2
    assert found.is_closed == (result == "fail")


@pytest.mark.parametrize(
    ("raw", "more"),
    [
        (WRITTEN, {}),  # nobody looked
        (FOUND.replace(HOST.encode(), b"mx.other.example") + b"\r\n" + WRITTEN, {}),
        (FOUND + b"\r\n" + WRITTEN, {"prefix": b"Delivered-To: x@elsewhere.test\r\n"}),
        (FOUND + b"\r\n" + WRITTEN, {"prefix": b""}),
        (FOUND + b"\r\n" + WRITTEN, {"origin": "notice"}),
        (FOUND + b"\r\nno field\r\n" + WRITTEN, {}),
    ],
    ids=["not judged", "by another", "not ours", "unknown", "a notice", "broken"],
)
def test_what_is_not_sealed(tmp_path, raw, more):
    content, _ = passed_on(raw, tmp_path, **more)
    assert content == more.get("prefix", PREFIX) + raw


def test_what_was_found_before():
    found = found_before(FOUND + b"\r\n" + WRITTEN, HOST, DkimLimits())
    assert found is not None
    assert found.text.startswith("spf=pass")
    assert found.chain.result == "none"
    for header in (
        b"",
        b"Authentication-Results: \x80;;;\r\n",
        b"Authentication-Results: x; none\r\n",
    ):
        assert found_before(header, "x", DkimLimits()) is None
