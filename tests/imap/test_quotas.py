"""QUOTA (RFC 9208): what is told, who may change it, and that every way in is bounded alike."""

import pytest

from imap.engine import House, logged_in
from mailserver.base.errors import OverQuota
from mailserver.store.accounts import AccountFields
from mailserver.store.domains import DomainFields
from transcript import play


def bound(house: House, user: str = "alice", **fields: int | bool | None) -> None:
    given: AccountFields = {**fields}  # type: ignore[typeddict-item]  # names are those of the fields
    house.store.write_now(lambda tx: tx.accounts.set(house.accounts[user].id, **given))


def bound_domain(house: House, **fields: int | None) -> None:
    given: DomainFields = {**fields}  # type: ignore[typeddict-item]  # names are those of the fields
    house.store.write_now(lambda tx: tx.domains.set(tx.domains.by_name("example.test").id, **given))


@pytest.mark.rfc(9208, "4.1.1", "4.1.2", "4.2", "5")
def test_what_is_told(house: House) -> None:
    bound(house, quota=10_240, max_messages=7)
    house.deliver(b"Subject: a\r\n\r\n" + b"x" * 3_000)
    play(
        """
C: a GETQUOTAROOT inbox
S: * QUOTAROOT INBOX alice@example.test
S: * QUOTA alice@example.test (STORAGE 3 10 MESSAGE 1 7 MAILBOX 6 10000)
S: a OK GETQUOTAROOT completed.
# of a mailbox that could be made
C: b GETQUOTAROOT "Not yet"
S: * QUOTAROOT "Not yet" alice@example.test
S: * QUOTA alice@example.test (STORAGE 3 10 MESSAGE 1 7 MAILBOX 6 10000)
S: b OK GETQUOTAROOT completed.
C: c GETQUOTA "alice@example.test"
S: * QUOTA alice@example.test (STORAGE 3 10 MESSAGE 1 7 MAILBOX 6 10000)
S: c OK GETQUOTA completed.
C: d GETQUOTA bob@example.test
S: d NO [NONEXISTENT] No such quota root.
C: e GETQUOTA nobody
S: e NO [NONEXISTENT] No such quota root.
C: f GETQUOTA ""
S: f NO [NONEXISTENT] No such quota root.
C: g GETQUOTA
S: g BAD ...
""",
        logged_in(house),
    )


@pytest.mark.rfc(9208, "4.1.3", "6")
def test_only_administrators_change_quotas(house: House) -> None:
    bob = logged_in(house, "bob")
    play(
        """
C: a SETQUOTA bob@example.test (STORAGE 1000000)
S: a NO [NOPERM] Only administrators change quotas.
C: b CAPABILITY
S: * CAPABILITY ...
S: b OK ...
""",
        bob,
    )
    assert b"QUOTASET" not in bob(b"c CAPABILITY\r\n")
    bound(house, "alice", is_admin=True)
    house.accounts["alice"] = house.accounts["alice"]._replace(is_admin=True)
    alice = logged_in(house)
    assert b" QUOTASET " in alice(b"a CAPABILITY\r\n")
    play(
        """
C: b SETQUOTA bob@example.test (STORAGE 512 MESSAGE 42)
S: * QUOTA bob@example.test (STORAGE 0 512 MESSAGE 0 42 MAILBOX 6 10000)
S: b OK SETQUOTA completed.
# what is not named is not bounded any more
C: c SETQUOTA bob@example.test (mailbox 6)
S: * QUOTA bob@example.test (MAILBOX 6 6)
S: c OK SETQUOTA completed.
C: d SETQUOTA bob@example.test ()
S: * QUOTA bob@example.test (MAILBOX 6 10000)
S: d OK SETQUOTA completed.
C: e SETQUOTA bob@example.test (STORAGE 0)
S: * QUOTA bob@example.test (STORAGE 0 0 MAILBOX 6 10000)
S: e OK SETQUOTA completed.
C: f SETQUOTA bob@example.test (MAILBOX 5)
S: f NO [CANNOT] ...
C: g SETQUOTA nobody@example.test ()
S: g NO [NONEXISTENT] No such quota root.
C: h SETQUOTA bob@example.test (ANNOTATION-STORAGE 5)
S: h BAD No resource ANNOTATION-STORAGE here ...
C: i SETQUOTA bob@example.test (STORAGE 9223372036854775807)
S: i BAD Limit too large ...
C: j SETQUOTA bob@example.test STORAGE 5
S: j BAD ...
""",
        alice,
    )
    # who is no administrator any more hears so at once
    bound(house, "alice", is_admin=False)
    assert alice(b"k SETQUOTA bob@example.test ()\r\n").startswith(b"k NO [NOPERM]")


@pytest.mark.rfc(9208, "4.3.1")
def test_messages_are_counted_at_append_and_delivery(house: House) -> None:
    bound_domain(house, max_messages=2)
    house.deliver()
    play(
        """
C: a APPEND INBOX {1+}
C: x
S: a OK [APPENDUID ...
C: b APPEND INBOX {1+}
C: x
S: b NO [OVERQUOTA] ...
# copies are the same message (docs/decisions/0011)
C: c SELECT INBOX
S: ...
S: c OK ...
C: d COPY 1 Archive
S: d OK [COPYUID ...
C: e STORE 2 +FLAGS.SILENT (\\Deleted)
S: e OK STORE completed.
C: f EXPUNGE
S: * 2 EXPUNGE
S: ...
S: f OK EXPUNGE completed.
C: g APPEND INBOX {1+}
C: x
S: ...
S: g OK [APPENDUID ...
""",
        logged_in(house),
    )
    with pytest.raises(OverQuota):
        house.deliver()
    bound(house, max_messages=3)  # its own bound comes before the domain's
    house.deliver()
    with pytest.raises(OverQuota):
        house.deliver()
    account = house.store.read_now(lambda tx: tx.accounts.get(house.accounts["alice"].id))
    assert (account.messages, account.max_messages, account.has_room(0)) == (3, 3, False)


@pytest.mark.rfc(9208, "5.3")
def test_mailboxes_are_counted(house: House) -> None:
    bound(house, max_mailboxes=8)
    play(
        """
C: a CREATE a/b
S: a OK [MAILBOXID ...
C: b CREATE c
S: b NO [OVERQUOTA] This account may have 8 mailboxes.
C: c RENAME Archive d/e
S: c NO [OVERQUOTA] This account may have 8 mailboxes.
C: d RENAME INBOX d
S: d NO [OVERQUOTA] This account may have 8 mailboxes.
C: e RENAME a/b d
S: e OK RENAME completed.
C: f GETQUOTAROOT d
S: * QUOTAROOT d alice@example.test
S: * QUOTA alice@example.test (MAILBOX 8 8)
S: f OK GETQUOTAROOT completed.
C: g DELETE d
S: g OK DELETE completed.
C: h CREATE c
S: h OK [MAILBOXID ...
""",
        logged_in(house),
    )


@pytest.mark.rfc(7889, "2", "3")
def test_the_largest_message_is_that_of_the_account(house: House) -> None:
    """STATUS tells it, APPEND keeps to it, before a literal is sent (RFC 7889 §3.3)."""
    bound_domain(house, message_size=100)
    alice = logged_in(house)
    play(
        """
C: a STATUS INBOX (APPENDLIMIT)
S: * STATUS INBOX (APPENDLIMIT 100)
S: a OK STATUS completed.
C: b APPEND INBOX {101}
S: b NO [TOOBIG] At most 100 octets
""",
        alice,
    )
    bound(house, message_size=200)
    play(
        r"""
C: a APPEND INBOX {101+}
C: {101*x}
S: a OK [APPENDUID ...
C: b LIST "" INBOX RETURN (STATUS (APPENDLIMIT))
S: * LIST (\HasNoChildren) "/" INBOX
S: * STATUS INBOX (APPENDLIMIT 200)
S: b OK LIST completed.
""",
        alice,
    )


@pytest.mark.rfc(8508, "3.4")
def test_a_message_can_be_replaced_in_an_account_that_is_full(house: House) -> None:
    bound(house, max_messages=1)
    house.deliver()
    play(
        """
C: a SELECT INBOX
S: ...
S: a OK ...
C: b REPLACE 1 INBOX {1+}
C: x
S: ...
S: b OK ...
C: c APPEND INBOX {1}
S: c NO [OVERQUOTA] The mailbox is full.
""",
        logged_in(house),
    )
