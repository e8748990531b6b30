"""What leaves is signed by the domain of its author, and nothing is signed that he did not write."""

import asyncio
import time
from dataclasses import replace
from itertools import count

import dkim as dkimpy
import pytest

from jobs.post_office import HOST, post_office, run, to
from mailauth.zone import Zone
from mailserver.directory import dkim_keys, dkim_life
from mailserver.directory.dkim_keys import ALGORITHMS
from mailserver.directory.seal import load_or_make
from mailserver.jobs.dkim import look_after_keys
from mailserver.mailauth.dkim.verify import verify
from mailserver.store.dkim_keys import RETIRED
from misbehaving import NextHop, once

RAW = b"From: Alice <alice@example.test>\r\nTo: b@elsewhere.test\r\nSubject: x\r\n\r\nhello\r\n.dot\r\n"
EIGHT = (
    "From: alice@example.test\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
).encode()
OLD = ("PIPELINING", "SIZE")


async def keys_of(office, domain="example.test"):
    """Makes them."""
    office.site = replace(office.site, seals=office.folder)
    await look_after_keys(office.site)
    return await office.site.work.read(lambda tx: tx.dkim_keys.of(tx.domains.by_name(domain).id))


def published(keys):
    """The DNS as it should be."""
    return Zone("\n".join(f'{key.name} TXT "{dkim_keys.record(key)}"' for key in keys))


async def results(content, keys):
    header, _, body = content.partition(b"\r\n\r\n")
    found = await verify(header + b"\r\n", [body], published(keys), now=2_000_000_000)
    return [(one.result, one.domain, one.algorithm) for one in found]


BOTH = [("pass", "example.test", "rsa-sha256"), ("pass", "example.test", "ed25519-sha256")]


def sends(raw, more, extensions=None, prepare=None, **put):
    """What a next hop gets of *raw*, with the keys there are."""

    async def main():
        hop_arguments = {} if extensions is None else {"extensions": extensions}
        with NextHop(**hop_arguments) as hop:
            async with post_office(put.pop("folder"), started=False) as office:
                keys = await keys_of(office)
                if prepare is not None:
                    await office.site.work.write(prepare)
                office.start()
                await office.put(to(hop), raw=raw, **more, **put)
                await office.until("delivered")
        (message,) = hop.messages
        return message, keys, await results(message.content, keys)

    return asyncio.run(asyncio.wait_for(main(), 40))


@pytest.mark.rfc(6376, "5")
@pytest.mark.rfc(8463, "3")
def test_both_keys_sign(tmp_path):
    message, keys, verdicts = sends(RAW, {"is_signable": True}, folder=tmp_path)
    assert verdicts == BOTH
    assert message.content.endswith(RAW)
    assert f"SIZE={len(message.content)}".encode() in message.mail
    records = {f"{key.name}.".encode(): dkim_keys.record(key).encode() for key in keys}
    judge = dkimpy.DKIM(message.content)
    for n in range(2):
        assert judge.verify(idx=n, dnsfunc=lambda name, timeout=5: records[bytes(name)])


def test_a_large_message_is_signed_as_it_is_read(tmp_path):
    raw = RAW + b"a line  with blanks \t in it \r\n" * 200_000 + b"\r\n\r\n"
    message, _, verdicts = sends(raw, {"is_signable": True}, folder=tmp_path)
    assert verdicts == BOTH
    assert message.content.endswith(raw)


@pytest.mark.rfc(6376, "5.3")
def test_the_signature_is_over_what_leaves(tmp_path):
    """Where 8 bits are not taken, the conversion comes first."""
    for extensions in (OLD, None):
        more = {"is_signable": True, "is_8bit": True}
        folder = tmp_path / str(bool(extensions))
        folder.mkdir()
        message, _, verdicts = sends(EIGHT, more, extensions, folder=folder)
        assert verdicts == BOTH
        assert message.content.isascii() == (extensions is OLD)


@pytest.mark.parametrize(
    ("raw", "more"),
    [
        (RAW, {"is_signable": False}),  # from outside, passed on: anybody may have written it
        (RAW.replace(b"alice@example.test", b"alice@elsewhere.test"), {"is_signable": True}),
        (RAW.replace(b"example.test", b"sub.example.test"), {"is_signable": True}),
        (b"From: eve@elsewhere.test\r\n" + RAW, {"is_signable": True}),  # two From fields
        (b"Subject: x\r\n\r\n", {"is_signable": True}),
        (b"From: alice@example.test\r\nno field\r\n\r\nx\r\n", {"is_signable": True}),
    ],
    ids=["relayed", "foreign", "below", "two", "none", "broken"],
)
def test_what_is_not_signed(tmp_path, raw, more):
    message, _, verdicts = sends(raw, more, folder=tmp_path)
    assert message.content == raw
    assert not [one for one in verdicts if one[0] == "pass"]


def test_below_a_domain_that_takes_its_subdomains_mail(tmp_path):
    raw = RAW.replace(b"alice@example.test", b"alice@sub.example.test")

    def inherit(tx):
        tx.domains.set(tx.domains.by_name("example.test").id, has_subdomains=True)

    _, _, verdicts = sends(raw, {"is_signable": True}, prepare=inherit, folder=tmp_path)
    assert verdicts == BOTH


def test_our_own_notices_are_signed_by_the_domain_above_our_host(tmp_path):
    raw = RAW.replace(b"alice@example.test", f"postmaster@{HOST}".encode())
    _, _, verdicts = sends(raw, {"is_signable": True}, folder=tmp_path)
    assert verdicts == BOTH


@pytest.mark.parametrize(
    ("policy", "left"), [("rsa", BOTH[:1]), ("ed25519", BOTH[1:]), ("off", [])]
)
def test_policies(tmp_path, policy, left):
    def change(tx):
        tx.domains.set(tx.domains.by_name("example.test").id, dkim=policy)

    _, _, verdicts = sends(RAW, {"is_signable": True}, prepare=change, folder=tmp_path)
    assert verdicts == left


@pytest.mark.rfc(6376, "5.4")
def test_oversigning_as_the_domain_wants_it(tmp_path):
    """Nobody can add a second Subject; a Reply-To is nobody's business here."""

    def change(tx):
        tx.domains.set(tx.domains.by_name("example.test").id, dkim_oversign="from,subject")

    message, keys, verdicts = sends(RAW, {"is_signable": True}, prepare=change, folder=tmp_path)
    assert verdicts == BOTH
    more = message.content.replace(b"Subject: x", b"Reply-To: c@d.test\r\nSubject: x")
    assert asyncio.run(results(more, keys)) == BOTH
    other = message.content.replace(b"Subject: x", b"Subject: y\r\nSubject: x")
    assert [one[0] for one in asyncio.run(results(other, keys))] == ["fail", "fail"]


def test_a_domain_without_keys_gets_them_before_its_mail_leaves(tmp_path):
    """Added by another way than the command line, or by an older version."""

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                office.site = replace(office.site, seals=tmp_path)
                office.start()
                for _ in range(3):
                    await office.put(to(hop), raw=RAW, is_signable=True)
                await office.until(*["delivered"] * 3)
                keys = await office.site.work.read(lambda tx: tx.dkim_keys.all())
        assert len(keys) == 2
        for message in hop.messages:
            assert await results(message.content, keys) == BOTH

    run(main())


def test_new_keys_count_at_once(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                old = await keys_of(office)
                office.start()
                await office.put(to(hop), raw=RAW, is_signable=True)
                await office.until("delivered")
                site, seal = office.site, load_or_make(tmp_path)
                new = dkim_life.make("example.test", old, ALGORITHMS, seal, site.now(), site.dkim)

                def switch(tx):
                    for key in dkim_life.put(tx, tx.domains.by_name("example.test"), new):
                        dkim_life.apply(tx, dkim_life.switch(tx.dkim_keys.of(key.domain_id), key))
                    for key in old:
                        tx.dkim_keys.move(key.id, RETIRED)

                await site.work.write(switch)
                await office.put(to(hop), raw=RAW, is_signable=True)
                await office.until("delivered", "delivered")
                keys = await site.work.read(lambda tx: tx.dkim_keys.all())
        fresh = [key for key in keys if key.state != RETIRED]
        assert await results(hop.messages[0].content, old) == BOTH
        assert await results(hop.messages[1].content, fresh) == BOTH

    run(main())


def test_signed_once_for_all_next_hops(tmp_path):
    """The clock goes on with each look at it: another signature would have another time."""

    async def main():
        with NextHop() as one, NextHop() as two:
            async with post_office(tmp_path, started=False) as office:
                await keys_of(office)
                ticks = count(int(time.time()))
                office.site = replace(office.site, now=lambda: next(ticks))
                await office.put(to(one), raw=RAW, is_signable=True)

                def also(tx):
                    db = tx.settings._db
                    db.run("UPDATE queued SET open = 2")
                    tx.queue._destination(to(two), 0)
                    db.run(
                        "INSERT INTO queued_recipient (queued_id, address, domain, destination_id, state, due_at,"
                        " original, notify, held_by, changed_at, is_bulk) SELECT queued_id, 'c@d.test', 'd.test',"
                        " (SELECT max(id) FROM destination), state, due_at, '', '', '', 0, 0 FROM queued_recipient"
                    )

                await office.site.work.write(also)
                office.start()
                await office.until("delivered", "delivered")
        first, second = one.messages[0].content, two.messages[0].content
        assert first == second
        assert first.count(b"DKIM-Signature:") == 2

    run(main())


def test_keys_that_do_not_open_hold_nothing_up(tmp_path):
    """Somebody has lost seal.key: mail leaves unsigned, and the log says so."""

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                await keys_of(office)
                (tmp_path / "seal.key").write_bytes(b"x" * 32)
                office.start()
                await office.put(to(hop), raw=RAW, is_signable=True)
                await office.until("delivered")
        assert hop.messages[0].content == RAW

    run(main())


def test_keys_that_cannot_be_made_hold_nothing_up(tmp_path):
    """The data folder takes no new file; a moment later it does."""

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, started=False) as office:
                office.site = replace(office.site, seals=tmp_path / "nowhere")
                office.start()
                await office.put(to(hop), raw=RAW, is_signable=True)
                await office.until("delivered")
        assert hop.messages[0].content == RAW

    run(main())


def test_who_is_not_signed_for_is_asked_about_again(tmp_path):
    """A domain that is added later, its message already tried."""
    raw = RAW.replace(b"example.test", b"new.test")

    async def main():
        with NextHop({"RCPT": once("450 4.2.0 Later")}) as hop:
            async with post_office(tmp_path, started=False) as office:
                office.site = replace(office.site, seals=tmp_path)
                office.start()
                await office.put(to(hop), raw=raw, is_signable=True)
                await office.until("deferred")
                await office.site.work.write(lambda tx: tx.domains.add("new.test"))
                await office.hurry()
                await office.until("delivered")
        assert hop.messages[0].content.count(b"d=new.test") == 2

    run(main())
