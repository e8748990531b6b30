"""Shared mailboxes and groups as clients see them, and names of those of other domains."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.engine import Client, House, logged_in
from mailserver.base.errors import AlreadyExists, Cannot, NotFound
from mailserver.base.ids import AccountId
from mailserver.directory import identifiers, sharing
from mailserver.directory.addresses import parse
from mailserver.imap import access
from mailserver.imap.commands import fetch
from mailserver.imap.fetching import batch
from mailserver.store.tx import Write
from mailserver.store.values import Grantee


def write(house: House, job: Callable[[Write], Any]) -> Any:
    value = house.store.write_now(job)
    house.server.changed(m for changes in house.pending for _, m in changes.mailboxes)
    return value


def shared(house: House, address: str, *to: str) -> None:
    write(house, lambda tx: sharing.create(tx, parse(address), to=to))


def allow(house: House, mailbox: str, identifier: str, rights: str) -> None:
    write(house, lambda tx: sharing.change(tx, sharing.mailbox_at(tx, mailbox), identifier, rights))


def names(client: Client, pattern: str = "*") -> list[str]:
    said = client(f'n LIST "" "{pattern}"\r\n'.encode()).decode()
    return [line.split('"/" ')[1].strip('"') for line in said.splitlines()[:-1]]


@pytest.mark.rfc(2342, "5")
def test_a_shared_mailbox_is_below_shared(house: House) -> None:
    shared(house, "sales@example.test", "alice@example.test")
    alice, bob = logged_in(house), logged_in(house, "bob")
    assert b'NAMESPACE (("" "/")) NIL (("Shared/" "/"))' in alice(b"a NAMESPACE\r\n")
    assert b'NAMESPACE (("" "/")) NIL NIL' in bob(b"a NAMESPACE\r\n")
    assert names(alice, "Shared/*") == ["Shared/sales"]
    assert names(bob, "Shared/*") == []
    assert b"MYRIGHTS Shared/sales lrswipted" in alice(b"a MYRIGHTS Shared/sales\r\n")
    assert b"a NO [NONEXISTENT]" in bob(b"a MYRIGHTS Shared/sales\r\n"), "anyone may post, no more"
    # there is no owner among those who are listed
    allow(house, "sales@example.test", "alice@example.test", "+ka")
    said = alice(b"a GETACL Shared/sales\r\n")
    assert said.startswith(b"* ACL Shared/sales alice@example.test lrswipkteacd anyone p\r\n"), said


@pytest.mark.rfc(4314, "4")
def test_mailboxes_below_a_shared_one(house: House) -> None:
    """They inherit its list, also the right to create more; it itself stays."""
    shared(house, "sales@example.test", "alice@example.test", "bob@example.test")
    allow(house, "sales@example.test", "alice@example.test", "+kx")
    alice, bob = logged_in(house), logged_in(house, "bob")
    assert b"a NO [NOPERM]" in bob(b"a CREATE Shared/sales/Offers\r\n")
    assert b"a OK" in alice(b"a CREATE Shared/sales/Offers/2026\r\n")
    tree = ["Shared/sales", "Shared/sales/Offers", "Shared/sales/Offers/2026"]
    assert names(alice, "Shared/*") == names(bob, "Shared/*") == tree
    assert b"a OK" in bob(b"a SELECT Shared/sales/Offers/2026\r\n")
    assert b"a OK" in bob(b"a APPEND Shared/sales/Offers/2026 {3+}\r\nabc\r\n")
    assert b"a OK" in alice(b"a RENAME Shared/sales/Offers Shared/sales/Old\r\n")
    assert names(bob, "Shared/*") == ["Shared/sales", "Shared/sales/Old", "Shared/sales/Old/2026"]
    assert b"a NO [CANNOT]" in alice(b"a DELETE Shared/sales\r\n")
    assert b"a NO" in alice(b"a RENAME Shared/sales Shared/marketing\r\n")
    assert b"a NO [CANNOT]" in alice(b"a RENAME Shared/sales Shared/sales/Moved\r\n")
    assert b"a NO" in alice(b"a RENAME Shared/sales/Old Old\r\n")
    assert b"a OK" in alice(b"a DELETE Shared/sales/Old/2026\r\n")
    assert house.store.read_now(lambda tx: tx.verify.problems()) == []


@pytest.mark.rfc(3501, "2.3.2")
def test_recent(house: House) -> None:
    r"""A guest takes \Recent from no owner; where there is none, whoever comes first has it."""
    shared(house, "sales@example.test", "alice@example.test", "bob@example.test")
    alice, bob = logged_in(house), logged_in(house, "bob")
    assert b"a OK" in alice(b"a SETACL INBOX bob@example.test lrswite\r\n")
    for box, again in ((b"Shared/sales", b"0"), (b'"Other Users/alice@example.test/INBOX"', b"1")):
        assert b"a OK" in bob(b"a APPEND %b {3+}\r\nabc\r\n" % box)
        assert b"* 1 RECENT" in bob(b"a SELECT %b\r\n" % box)
        assert b"* %b RECENT" % again in bob(b"a SELECT %b\r\n" % box)
    assert b"* 1 RECENT" in alice(b"a SELECT INBOX\r\n")
    assert b"* 0 RECENT" in alice(b"a SELECT Shared/sales\r\n")


@pytest.mark.rfc(4314, "4")
def test_every_batch_of_a_guest_is_read_as_his(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""Those that are read while others are sent have his \Seen, and come only while he may read."""
    monkeypatch.setattr(fetch, "ROWS", 1)
    alice, bob = logged_in(house), logged_in(house, "bob")
    for _ in range(3):
        assert b"a OK" in alice(b"a APPEND INBOX (\\Seen) {3+}\r\nabc\r\n")
    assert b"a OK" in alice(b"a SETACL INBOX bob@example.test lrs\r\n")
    assert b"a OK" in bob(b'a SELECT "Other Users/alice@example.test/INBOX"\r\n')
    assert b"a OK" in bob(b"a STORE 2 +FLAGS.SILENT (\\Seen)\r\n")
    said = (
        bob(b"a FETCH 1:3 (FLAGS RFC822.SIZE)\r\n")
        .replace(b" \\Recent", b"")
        .replace(b"\\Recent", b"")
    )
    assert [b"\\Seen" in line for line in said.splitlines()] == [False, True, False, False], said
    read, left = batch.read, [2]

    def last_time(*args: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            monkeypatch.setattr(access, "rights", lambda *_: "l")
        return read(*args)

    monkeypatch.setattr(batch, "read", last_time)
    said = bob(b"a FETCH 1:3 RFC822.SIZE\r\n")
    assert said.startswith(b"* 1 FETCH")
    assert b"* 3 FETCH" not in said
    assert b"* BYE You may no longer read this mailbox." in said


def test_nobody_logs_in_as_a_shared_mailbox(house: House) -> None:
    shared(house, "sales@example.test")
    assert house.store.read_now(lambda tx: tx.accounts.credentials("sales", "example.test")) is None
    with pytest.raises(NotFound):
        house.store.read_now(lambda tx: identifiers.read(tx, "sales@example.test"))


@pytest.mark.rfc(4314, "2")
def test_groups(house: House) -> None:
    """Who joins has the rights at once, who leaves loses them at once."""
    team = parse("team@example.test")
    bob = house.accounts["bob"]
    write(house, lambda tx: sharing.add_group(tx, team, []))
    alice, guest = logged_in(house), logged_in(house, "bob")
    assert b"a OK" in alice(b"a SETACL INBOX group:team@example.test lrs\r\n")
    assert b"group:team@example.test lrs" in alice(b"a GETACL INBOX\r\n")
    theirs = b'"Other Users/alice@example.test/INBOX"'
    assert b"a NO [NONEXISTENT]" in guest(b"a SELECT %b\r\n" % theirs)
    write(house, lambda tx: sharing.add_group(tx, team, [bob]))
    assert b"a OK" in guest(b"a SELECT %b\r\n" % theirs)
    # what is taken from the group is taken from its members, what is taken from one is taken from him alone
    assert b"a OK" in alice(b"a SETACL INBOX -bob@example.test s\r\n")
    assert b" lr\r\n" in guest(b"a MYRIGHTS %b\r\n" % theirs)
    assert b"a OK" in alice(b"a DELETEACL INBOX -bob@example.test\r\n")
    assert b"a OK" in alice(b"a SETACL INBOX -group:team@example.test s\r\n")
    assert b" lr\r\n" in guest(b"a MYRIGHTS %b\r\n" % theirs)
    write(house, lambda tx: sharing.leave_group(tx, team, [bob]))
    assert guest(b"a NOOP\r\n") == b"* BYE You may no longer read this mailbox.\r\n"
    write(house, lambda tx: sharing.add_group(tx, team, [bob]))
    guest = logged_in(house, "bob")
    assert b"a OK" in guest(b"a SELECT %b\r\n" % theirs)
    write(house, lambda tx: tx.groups.remove(identifiers.group_at(tx, team).id))
    assert guest(b"a NOOP\r\n") == b"* BYE You may no longer read this mailbox.\r\n"
    assert b"group" not in alice(b"a GETACL INBOX\r\n")


@pytest.mark.rfc(4314, "2")
def test_anyone_is_of_the_same_domain(house: House) -> None:
    """Other domains on the server may be somebody else's altogether; they are named one by one."""

    def other(tx: Write) -> Any:
        return tx.accounts.add(tx.domains.add("other.test").id, "dave", "-")

    house.accounts["dave@other.test"] = write(house, other)
    alice, bob = logged_in(house), logged_in(house, "bob")
    dave = house.client()
    dave(b"")
    assert b"x OK" in dave(b"x LOGIN dave@other.test secret\r\n")
    assert b"a OK" in alice(b"a SETACL INBOX anyone lr\r\n")
    assert names(bob, "Other Users/*") == ["Other Users/alice@example.test/INBOX"]
    assert names(dave, "Other Users/*") == []
    assert b"a OK" in alice(b"a SETACL INBOX dave@other.test lr\r\n")
    assert names(dave, "Other Users/*") == ["Other Users/alice@example.test/INBOX"]


@pytest.mark.rfc(2342, "5")
def test_shared_mailboxes_of_two_domains(house: House) -> None:
    """One's own domain goes without saying; a name means one mailbox, and each has one name."""
    write(house, lambda tx: tx.domains.add("other.test"))
    for domain in ("example.test", "other.test"):
        shared(house, f"sales@{domain}", "alice@example.test")
    alice = logged_in(house)
    assert names(alice, "Shared/*") == ["Shared/sales", "Shared/sales@other.test"]
    assert b"a OK" in alice(b"a APPEND Shared/sales@other.test {3+}\r\nabc\r\n")
    assert b"(MESSAGES 1)" in alice(b"a STATUS Shared/sales@other.test (MESSAGES)\r\n")
    assert b"(MESSAGES 0)" in alice(b"a STATUS Shared/sales (MESSAGES)\r\n")
    assert b"a NO [NONEXISTENT]" in alice(b"a SELECT Shared/sales@example.test\r\n")
    assert b"a NO [NONEXISTENT]" in alice(b'a SELECT "Other Users/sales@example.test/INBOX"\r\n')


def test_a_removed_user_takes_what_he_shared_with_him(house: House) -> None:
    alice, bob = logged_in(house), logged_in(house, "bob")
    house.deliver(b"Subject: x\r\n\r\nHello.\r\n")
    assert b"a OK" in alice(b"a SETACL INBOX bob@example.test lrs\r\n")
    assert b"a OK" in bob(b'a SELECT "Other Users/alice@example.test/INBOX"\r\n')
    assert b"a OK" in bob(b"a FETCH 1 BODY[]\r\n")
    write(house, lambda tx: tx.accounts.remove(house.accounts["alice"].id))
    assert bob(b"a NOOP\r\n") == b"* BYE The mailbox was deleted.\r\n"
    bob = logged_in(house, "bob")
    assert names(bob, "Other Users/*") == []
    assert house.store.read_now(lambda tx: tx.verify.problems()) == []


@pytest.mark.rfc(9208, "5.1")
def test_the_quota_is_the_owner_s(house: House) -> None:
    """What is put into somebody's mailbox counts for him; what is taken out, for who takes it."""
    alice, bob = logged_in(house), logged_in(house, "bob")
    assert b"a OK" in alice(b"a SETACL INBOX bob@example.test lrswite\r\n")
    theirs = b'"Other Users/alice@example.test/INBOX"'
    assert b"a OK" in bob(b"a APPEND %b {8+}\r\n12345678\r\n" % theirs)
    write(house, lambda tx: tx.accounts.set(house.accounts["alice"].id, quota=10))
    assert b"a NO [OVERQUOTA]" in bob(b"a APPEND %b {8+}\r\n12345678\r\n" % theirs)
    assert b"a OK" in bob(b"a APPEND INBOX {8+}\r\n12345678\r\n")
    assert b"a OK" in bob(b"a SELECT INBOX\r\n")
    for act in (b"COPY", b"MOVE"):
        assert b"a NO [OVERQUOTA]" in bob(b"a %b 1 %b\r\n" % (act, theirs))
    write(house, lambda tx: tx.accounts.set(house.accounts["bob"].id, quota=10))
    assert b"a OK" in bob(b"a SELECT %b\r\n" % theirs)
    for act in (b"COPY", b"MOVE"):
        assert b"a NO [OVERQUOTA]" in bob(b"a %b 1 Sent\r\n" % act)
    assert b"* 1 EXISTS" in bob(b"a SELECT %b\r\n" % theirs)
    assert b"* QUOTA alice@example.test (STORAGE" in bob(b"a GETQUOTAROOT %b\r\n" % theirs)
    assert house.store.read_now(lambda tx: tx.verify.problems()) == []


def test_a_list_has_a_bound(house: House) -> None:
    """An own entry for each identifier, negative ones too; what is there already can be changed."""
    most = house.server.limits.acl_entries
    alice = logged_in(house)

    def many(tx: Write) -> None:
        domain = tx.domains.by_name("example.test").id
        for number in range(most):
            tx.groups.add(domain, f"g{number}")

    write(house, many)
    for number in range(most):
        assert b"OK" in alice(b"a SETACL INBOX group:g%d@example.test lr\r\n" % number)
    assert b"a NO [LIMIT]" in alice(b"a SETACL INBOX bob@example.test lr\r\n")
    assert b"a NO [LIMIT]" in alice(b"a SETACL INBOX -group:g0@example.test r\r\n")
    assert b"a OK" in alice(b"a SETACL INBOX group:g0@example.test lrs\r\n")
    assert b"a OK" in alice(b"a DELETEACL INBOX group:g1@example.test\r\n")
    assert b"a OK" in alice(b"a SETACL INBOX bob@example.test lr\r\n")


@pytest.mark.parametrize(
    "text",
    ["", "-", "--bob@example.test", "group:", "group:bob@", "bob", "$team", "owner", "anyone@x y", "-group:a b@c.test"],
)  # fmt: skip
def test_what_is_no_identifier(house: House, text: str) -> None:
    with pytest.raises((Cannot, NotFound)):
        house.store.read_now(lambda tx: identifiers.read(tx, text))


NAMES = st.lists(
    st.sampled_from(["a", "INBOX", "inbox", "Shared", "Other Users", "ü/é", "x@y.test", "%", "a b", "漢字"]),
    min_size=1,
    max_size=3,
).map("/".join)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_mailbox_has_one_name_and_every_name_one_mailbox(data: st.DataObject) -> None:
    """Whoever owns it, in whichever domain, whatever it is called: what LIST shows can be opened under that name."""
    with TemporaryDirectory() as folder:
        house = House(Path(folder))
        write(house, lambda tx: tx.domains.add("other.test"))
        owners = [house.accounts[name].id for name in ("alice", "bob", "carol")]
        for domain in ("example.test", "other.test"):
            for name in ("alice", "desk"):
                at = parse(f"{name}@{domain}")
                if (name, domain) != ("alice", "example.test"):
                    owners.append(write(house, lambda tx, at=at: sharing.create(tx, at)).id)
        reader = house.accounts["bob"]

        def share(tx: Write, owner: AccountId, name: str, rights: str) -> None:
            name = f"INBOX/{name}" if tx.accounts.get(owner).is_shared else name
            with suppress(AlreadyExists, Cannot):
                tx.mailboxes.create(owner, name)
            for box in tx.mailboxes.all(owner):
                if owner != reader.id:
                    to = Grantee(reader.id, None)
                    tx.acl.set(owner, box.id, to, rights, is_negative=False)

        for owner in owners:
            for name in data.draw(st.lists(NAMES, max_size=3)):
                rights = data.draw(st.sampled_from(["l", "lr", "lrswite"]))
                write(
                    house,
                    lambda tx, owner=owner, name=name, rights=rights: share(
                        tx, owner, name, rights
                    ),
                )
        session = logged_in(house, "bob").session

        def look(tx: Any) -> None:
            seen = access.visible(session, tx)
            assert len({one.name for one in seen}) == len(seen) == len({s.mailbox.id for s in seen})
            assert [one.name for one in seen] == sorted(one.name for one in seen)
            for one in seen:
                found = access.named(session, tx, one.name)
                assert (found.id, access.client_name(session, tx, found)) == (
                    one.mailbox.id,
                    one.name,
                )
                assert found == one.mailbox
                assert access.rights(session, tx, found) == one.rights

        house.store.read_now(look)
        house.close()
