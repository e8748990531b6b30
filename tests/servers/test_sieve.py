"""Mail that goes through Sieve scripts on its way into mailboxes, over real sockets."""

from dataclasses import replace

import pytest

from mailserver.base.limits import SieveLimits
from mailserver.directory import accounts, contacts, domains, sharing
from mailserver.directory.addresses import parse
from mailserver.directory.filter_settings import keeping
from mailserver.directory.filter_settings.model import (
    AutoReply,
    Block,
    Condition,
    Forward,
    Rule,
    Settings,
)
from mailserver.store.annotations import SERVER
from mailserver.store.names import object_id
from mailserver.store.scripts import Owner
from mailserver.store.tx import Read, Write
from servers.site import Site, greeted, send, submit, until
from servers.test_lmtp import envelope, hello
from servers.test_smtp_leaving import queued

TO_ALICE = (
    b"From: Friend <a@elsewhere.test>\r\nTo: alice@example.test\r\nSubject: [x] news\r\n"
    b"Message-ID: <1@elsewhere.test>\r\n\r\nhello\r\n"
)


def owner(tx: Read, address: str) -> Owner:
    if "@" not in address:
        return Owner(domain=tx.domains.by_name(address).id) if address else Owner()
    return Owner(account=accounts.at(tx, parse(address)).id)


def script(site: Site, whose: str, text: str, role: str = "active", name: str = "main") -> None:
    def job(tx: Write) -> None:
        by = owner(tx, whose)
        tx.scripts.put(by, name, text.encode())
        tx.scripts.activate(by, name, role)

    epoch = site.smtp._begin(site.context)
    filters = next(iter(epoch.values())).filters
    before = filters._epoch
    site.store.write_now(job)
    site.loop.call_soon_threadsafe(lambda: None)
    until(lambda: filters._epoch > before)


def make(site: Site, whose: str, *mailboxes: str) -> None:
    def job(tx: Write) -> None:
        for mailbox in mailboxes:
            tx.mailboxes.create(accounts.at(tx, parse(whose)).id, mailbox)

    site.store.write_now(job)


def deliver(site: Site, *to: str, raw: bytes = TO_ALICE, sender: str = "<a@elsewhere.test>") -> str:
    with greeted(site) as wire:
        return send(wire, *(to or ("alice@example.test",)), raw=raw, sender=sender)


def flags(site: Site, whose: str, mailbox: str) -> list[tuple[int, str]]:
    def job(tx: Read) -> list[tuple[int, str]]:
        box = tx.mailboxes.get(accounts.at(tx, parse(whose)).id, mailbox)
        return list(tx.messages.rows(box.id, [(1, 2**32 - 1)], "flags", "keywords"))

    return site.store.read_now(job)


@pytest.mark.rfc(5228, "4.1", "2.10.2")
@pytest.mark.rfc(5232, "5")
def test_filing(site: Site) -> None:
    make(site, "alice@example.test", "Lists/x")
    script(
        site,
        "alice@example.test",
        'require ["fileinto", "variables", "imap4flags", "mailbox"];'
        'if header :matches "subject" "[*]*" {'
        '  fileinto :flags ["\\\\Flagged", "$Work"] "lists/${1}"; fileinto "Lists/${1}";'
        '  fileinto :create "New/box"; }'
        'elsif header :contains "subject" "spam" { discard; }',
    )
    assert deliver(site).startswith("250 2.0.0")
    assert len(site.messages("alice@example.test", "Lists/x")) == 1
    assert len(site.messages("alice@example.test", "New/box")) == 1
    # "lists/x" is not there: INBOX, with its flags
    assert flags(site, "alice@example.test", "INBOX") == [(4, "$Work")]
    assert flags(site, "alice@example.test", "Lists/x") == [(0, "")]
    assert deliver(site, raw=TO_ALICE.replace(b"[x] news", b"spam")).startswith("250 2.0.0")
    assert len(site.messages("alice@example.test")) == 1
    used = site.store.read_now(lambda tx: accounts.at(tx, parse("alice@example.test")).messages)
    assert used == 1, "one message, in three mailboxes"
    trace = site.traces[0]
    assert 'script "main", line 1: filed into "Lists/x"' in [step.reason for step in trace.steps]
    assert {copy.account for copy in trace.copies} == {trace.recipients[0].accounts[0]}


def test_others_get_it_as_ever(site: Site) -> None:
    script(site, "alice@example.test", "discard;")
    assert deliver(site, "alice@example.test", "bob@example.test").startswith("250")
    assert site.messages("alice@example.test") == []
    assert len(site.messages("bob@example.test")) == 1


def test_what_one_script_makes_of_a_header_no_other_sees(site: Site) -> None:
    make(site, "bob@example.test", "Seen")
    script(
        site,
        "alice@example.test",
        'require "editheader"; if header :is "x-a" "b" { stop; } addheader "X-A" "b";',
    )
    script(
        site,
        "bob@example.test",
        'require "fileinto"; if header :is "x-a" "b" { fileinto "Seen"; }',
    )
    assert deliver(site, "alice@example.test", "bob@example.test").startswith("250")
    (hers,) = site.messages("alice@example.test")
    assert hers.startswith(b"X-A: b\r\n")
    assert len(site.messages("bob@example.test")) == 1


def test_rules_that_are_passed_over(site: Site) -> None:
    """A script that has nothing to say is not run, the first time for want of its text and then for want of a match."""
    make(site, "alice@example.test", "Rule 39")
    rules = [f'if header :is "subject" "[{n}] news" {{ fileinto "Rule {n}"; }}' for n in range(40)]
    script(site, "alice@example.test", 'require "fileinto";' + "".join(rules))
    for subject in (b"[40] news", b"[40] news", b"[39] news", b"[39]  News"):
        raw = TO_ALICE.replace(b"[x] news", subject)
        assert deliver(site, raw=raw).startswith("250 2.0.0")
    assert len(site.messages("alice@example.test")) == 3
    assert len(site.messages("alice@example.test", "Rule 39")) == 1
    said = [[step.reason for step in trace.steps] for trace in site.traces]
    assert [any("filed into" in text for text in texts) for texts in said] == [0, 0, 1, 0]


def test_before_and_after(site: Site) -> None:
    make(site, "alice@example.test", "A", "B")
    script(
        site,
        "example.test",
        'require "fileinto"; if header :contains "subject" "virus" { fileinto "A"; }',
        "before",
    )
    script(site, "", 'require ["imap4flags"]; if size :over 1 { addflag "$After"; keep; }', "after")
    script(
        site,
        "alice@example.test",
        'require "fileinto"; if header :contains "subject" "b" { fileinto "B"; }',
    )
    deliver(site, raw=TO_ALICE.replace(b"news", b"virus b"))
    deliver(site, raw=TO_ALICE.replace(b"news", b"b"))
    deliver(site)
    assert len(site.messages("alice@example.test", "A")) == 1
    assert len(site.messages("alice@example.test", "B")) == 1
    assert flags(site, "alice@example.test", "INBOX") == [(0, "$After")]


def test_settings_come_before_the_own_script(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require "fileinto"; fileinto :create "Own";'.replace(
            '"fileinto";', '["fileinto", "mailbox"];'
        ),
    )
    wanted = Settings(
        Block("trash"),
        None,
        Forward(("x@remote.example",)),
        (
            Rule("news", (Condition("subject", "contains", "news"),), "News", ("\\Flagged",)),
            Rule("mark", (Condition("subject", "is", "marked"),), "", ("$Seen1",), stops=False),
        ),
    )

    def job(tx: Write) -> None:
        account = accounts.at(tx, parse("alice@example.test"))
        keeping.change(tx, account, lambda found: wanted, SieveLimits())
        tx.lists.add(Owner(account=account.id), "block", ["@spam.example"], "")

    site.store.write_now(job)
    until(lambda: deliver(site) and site.messages("alice@example.test", "News"))
    deliver(site, raw=TO_ALICE.replace(b"a@elsewhere.test>", b"b@spam.example>", 1))
    deliver(site, sender="<b@spam.example>")
    deliver(site, raw=TO_ALICE.replace(b"[x] news", b"other"))
    assert len(site.messages("alice@example.test", "Trash")) == 2
    assert len(site.messages("alice@example.test", "Own")) >= 1
    assert (4, "") in flags(site, "alice@example.test", "News")
    assert {c.recipients[0].address for _, c, _ in queued(site)} == {"x@remote.example"}

    def off(tx: Write) -> None:
        tx.scripts.deactivate(owner(tx, "alice@example.test"))

    site.store.write_now(off)
    script(site, "", 'require "imap4flags"; if size :over 1G { addflag "x"; }', "after")
    deliver(site, raw=TO_ALICE.replace(b"[x] news", b"marked"))
    assert flags(site, "alice@example.test", "INBOX") == [(0, "$Seen1")]


@pytest.mark.rfc(5228, "4.2")
@pytest.mark.rfc(5293, "7")
def test_redirect(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require ["copy", "editheader"]; redirect "x@remote.example"; redirect :copy "bob@example.test";'
        'addheader "X-Seen" "yes"; redirect "y@remote.example";',
    )
    assert deliver(site).startswith("250")
    assert site.messages("alice@example.test") == []
    waits = {c.recipients[0].address: (name, c, data) for name, c, data in queued(site)}
    assert set(waits) == {"x@remote.example", "y@remote.example", "bob@example.test"}
    assert waits["bob@example.test"][0] == "local"
    name, claimed, data = waits["x@remote.example"]
    assert name == "remote.example"
    assert claimed.queued.sender.startswith("SRS0=")
    assert claimed.queued.origin == "forwarded"
    assert data.startswith(b"Delivered-To: alice@example.test\r\nReceived: ")
    assert data.endswith(TO_ALICE)
    data = waits["y@remote.example"][2]
    assert data.startswith(b"Delivered-To: alice@example.test\r\nX-Seen: yes\r\nReceived: ")
    assert b"Return-Path" not in data


def test_a_redirect_to_where_nothing_can_be_sent_is_kept(site: Site) -> None:
    for text in ("a@b_c", "a@remote.example."):
        script(site, "alice@example.test", f'redirect "{text}";')
        assert deliver(site).startswith("250")
    assert len(site.messages("alice@example.test")) == 2
    script(site, "alice@example.test", 'redirect "\\"q s\\"@remote.example";')
    assert deliver(site).startswith("250")
    ((_, claimed, _),) = queued(site)
    assert claimed.recipients[0].address == '"q s"@remote.example'


def test_a_redirect_that_comes_back_is_kept(site: Site) -> None:
    script(site, "alice@example.test", 'redirect "x@remote.example";')
    assert deliver(site, raw=b"Delivered-To: alice@example.test\r\n" + TO_ALICE).startswith("250")
    assert len(site.messages("alice@example.test")) == 1
    assert queued(site) == []


@pytest.mark.rfc(5293, "4")
def test_an_edited_header_is_stored(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require "editheader"; addheader :last "X-A" "b"; deleteheader "subject";',
    )
    deliver(site, "alice@example.test", "bob@example.test")
    (mine,) = site.messages("alice@example.test")
    (his,) = site.messages("bob@example.test")
    assert b"\r\nX-A: b\r\n\r\nhello\r\n" in mine
    assert b"Subject" not in mine
    assert his.endswith(TO_ALICE)


@pytest.mark.rfc(5703, "5", "6")
def test_what_a_script_makes_of_a_message_is_stored(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require ["replace", "enclose", "copy", "editheader"]; addheader :last "X-A" "b";'
        'enclose :subject "look" "see below"; redirect :copy "x@remote.example";',
    )
    script(site, "bob@example.test", 'require "replace"; replace "nothing to see"; stop;')
    deliver(site, "alice@example.test", "bob@example.test")
    (mine,) = site.messages("alice@example.test")
    (his,) = site.messages("bob@example.test")
    assert b"\r\nX-A: b\r\n\r\nhello\r\n" in mine
    assert mine.startswith(b"From: alice@example.test\r\nSubject: look\r\n")
    assert his.endswith(b"\r\n\r\nnothing to see\r\n")
    assert b"Subject: [x] news" in his
    ((_, claimed, data),) = queued(site)
    assert claimed.recipients[0].address == "x@remote.example"
    assert data.endswith(b"\r\nX-A: b\r\n\r\nhello\r\n")


@pytest.mark.rfc(8617, "5.1")
@pytest.mark.parametrize(
    ("edit", "is_vouched_for"),
    [
        ('addheader "X-A" "b"; deleteheader "subject";', True),
        (
            'addheader "Authentication-Results" "mx.example.test; dmarc=pass"; addheader "X-A" "b";',
            True,
        ),
        ('deleteheader "from"; addheader "From" "ceo@bank.example";', False),
        ('addheader "From" "ceo@bank.example";', False),
        ('replace "Please pay.";', False),
    ],
)
def test_what_was_found_of_a_message_is_not_said_of_another(
    site: Site, edit: str, is_vouched_for: bool
) -> None:
    script(
        site,
        "alice@example.test",
        f'require ["editheader", "replace"]; {edit} redirect "x@remote.example";',
    )
    deliver(site, raw=b"Authentication-Results: other.example; dkim=pass\r\n" + TO_ALICE)
    ((_, _, data),) = queued(site)
    header = data[: data.index(b"\r\n\r\n")].lower()
    assert (b"other.example; dkim=pass" in header) is is_vouched_for
    assert b"dmarc=pass" not in header


@pytest.mark.rfc(5228, "2.10.6")
def test_a_message_that_could_not_be_changed_is_kept_as_it_came(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require ["replace", "fileinto", "variables"]; replace "x"; fileinto "INBOX"; redirect "${1}";',
    )
    deliver(site)
    kept, notice = site.messages("alice@example.test")
    assert kept.endswith(TO_ALICE)
    assert b"Your mail filter has a mistake" in notice


@pytest.mark.rfc(5228, "4.1")
@pytest.mark.rfc(4314, "2.1")
@pytest.mark.rfc(5490, "3.1")
@pytest.mark.rfc(9042, "3", "5")
def test_mailboxes_of_others_are_known(site: Site) -> None:
    """Those that the user may file into, by name and by id; the id of another leads nowhere."""

    def job(tx: Write) -> tuple[str, str]:
        sharing.create(tx, parse("sales@example.test"), to=["alice@example.test"])
        box = sharing.mailbox_at(tx, "bob@example.test/Team")
        sharing.change(tx, box, "alice@example.test", "lri")
        secret = sharing.mailbox_at(tx, "bob@example.test/Private")
        sharing.change(tx, secret, "alice@example.test", "lr")
        return object_id(box.id), object_id(secret.id)

    make(site, "bob@example.test", "Team", "Private")
    make(site, "alice@example.test", "Own")
    team, private = site.store.write_now(job)
    bob = "Other Users/bob@example.test"
    script(
        site,
        "alice@example.test",
        'require ["fileinto", "mailbox", "mailboxid", "special-use", "imap4flags"];'
        f'if mailboxexists ["Shared/sales", "{bob}/Team", "Own"] {{ addflag "all"; }}'
        f'if mailboxexists "{bob}/Private" {{ addflag "private"; }}'
        f'if mailboxexists "{bob}/INBOX" {{ addflag "inbox"; }}'
        f'if mailboxidexists "{team}" {{ addflag "team"; }}'
        f'if mailboxidexists "{private}" {{ addflag "private-id"; }}'
        f'fileinto :mailboxid "{team}" "Own"; fileinto :mailboxid "{private}" "Own";'
        'fileinto :mailboxid "F9999999999999999999" "Own";'
        'fileinto :specialuse "\\\\Trash" "Shared/sales";',
    )
    deliver(site)
    assert flags(site, "alice@example.test", "Own") == [(0, "all team")]
    assert len(site.messages("bob@example.test", "Team")) == 1
    assert len(site.messages("bob@example.test", "Private")) == 0
    assert len(site.messages("alice@example.test", "Trash")) == 1


@pytest.mark.rfc(8579, "4.1")
def test_a_mailbox_made_for_a_special_use_has_it(site: Site) -> None:
    """What is looked for by its use is found the next time; a use that mailboxes are not given leaves it plain."""
    script(
        site,
        "alice@example.test",
        'require ["fileinto", "mailbox", "special-use"];'
        'fileinto :create :specialuse "\\\\Important" "Urgent";'
        'fileinto :create :specialuse "\\\\Important" "Elsewhere";'
        'fileinto :create :specialuse "\\\\All" "Plain";',
    )
    deliver(site)

    def uses(tx: Read) -> dict[str, str | None]:
        alice = accounts.at(tx, parse("alice@example.test"))
        return {box.name: box.special_use for box in tx.mailboxes.all(alice.id)}

    found = site.store.read_now(uses)
    assert found["Urgent"] == "\\Important"
    assert found["Plain"] is None
    assert "Elsewhere" not in found


def test_filing_into_mailboxes_of_others(site: Site) -> None:
    make(site, "bob@example.test", "Team", "Private")

    def share(rights: str) -> None:
        def job(tx: Write) -> None:
            if rights == "first":
                sharing.create(tx, parse("sales@example.test"), to=["alice@example.test"])
            elif rights == "full":
                bob = accounts.at(tx, parse("bob@example.test"))
                tx.accounts.set(bob.id, quota=10)
            else:
                box = sharing.mailbox_at(tx, "bob@example.test/Team")
                sharing.change(tx, box, "alice@example.test", rights)

        site.store.write_now(job)

    share("first")
    share("lr")
    script(
        site,
        "alice@example.test",
        'require ["fileinto", "imap4flags", "mailbox"];'
        'fileinto :flags "\\\\Flagged" "Shared/sales"; fileinto "Other Users/bob@example.test/Team";'
        'fileinto :create "Other Users/bob@example.test/Private";',
    )

    def in_sales() -> list[tuple[int, str]]:
        def job(tx: Read) -> list[tuple[int, str]]:
            box = sharing.mailbox_at(tx, "sales@example.test")
            return list(tx.messages.rows(box.id, [(1, 2**32 - 1)], "flags", "keywords"))

        return site.store.read_now(job)

    def counts() -> tuple[int, ...]:
        return (
            len(in_sales()),
            len(site.messages("bob@example.test", "Team")),
            len(site.messages("bob@example.test", "Private")),
            len(site.messages("alice@example.test")),
        )

    assert deliver(site).startswith("250")
    assert counts() == (1, 0, 0, 1), "who may not put mail there keeps it"
    assert in_sales() == [(0, "")]
    share("lri")
    assert deliver(site, "alice@example.test", "bob@example.test").startswith("250")
    assert counts() == (2, 1, 0, 2)
    assert len(site.messages("bob@example.test")) == 1
    share("full")
    assert deliver(site).startswith("250")
    assert counts() == (3, 1, 0, 3), "the owner has no room, and the message is not lost"


@pytest.mark.rfc(5429, "2.1")
def test_reject(site: Site) -> None:
    script(site, "alice@example.test", 'require "reject"; reject "Not today";')
    assert deliver(site) == "550 5.7.1 <alice@example.test>: Not today"
    # others take it: the sender gets a notice
    assert deliver(site, "alice@example.test", "bob@example.test").startswith("250")
    assert site.messages("alice@example.test") == []
    ((_, claimed, data),) = queued(site)
    assert claimed.queued.sender == ""
    assert claimed.recipients[0].address == "a@elsewhere.test"
    assert b"Not today" in data
    # a bounce would make nobody any wiser
    assert deliver(site, sender="<>").startswith("250")
    assert len(site.messages("alice@example.test")) == 1


def test_reject_over_lmtp(site: Site) -> None:
    script(site, "alice@example.test", 'require "ereject"; ereject "Not today";')
    with hello(site) as wire:
        envelope(wire, "alice@example.test", "bob@example.test")
        wire.ask(b"DATA\r\n")
        assert wire.ask(TO_ALICE + b".\r\n") == "550 5.7.1 <alice@example.test>: Not today"
        assert wire.hear().startswith("250")
    assert len(site.messages("bob@example.test")) == 1
    assert queued(site) == []


VACATION = 'require "vacation"; vacation :days 1 :subject "Gone" "I am away.";'


@pytest.mark.rfc(5230, "4.2", "4.5", "4.6", "5")
def test_vacation(site: Site) -> None:
    script(site, "alice@example.test", VACATION)
    deliver(site)
    deliver(site)
    assert len(site.messages("alice@example.test")) == 2
    ((_, claimed, data),) = queued(site)
    assert (claimed.queued.sender, claimed.recipients[0].address) == ("", "a@elsewhere.test")
    for field in (
        b"From: alice@example.test\r\n",
        b"To: a@elsewhere.test\r\n",
        b"Subject: Gone\r\n",
        b"Auto-Submitted: auto-replied (vacation)\r\n",
        b"In-Reply-To: <1@elsewhere.test>\r\n",
    ):
        assert field in data
    assert data.endswith(b"\r\n\r\nI am away.\r\n")
    assert b"Return-Path" not in data
    with submit(site, "bob@example.test") as wire:
        raw = b"From: bob@example.test\r\nTo: alice@example.test\r\nSubject: y\r\n\r\nhi\r\n"
        send(wire, "alice@example.test", raw=raw, sender="<bob@example.test>")
    (answer,) = site.messages("bob@example.test")
    assert b"I am away." in answer


@pytest.mark.rfc(3834, "2")
@pytest.mark.parametrize(
    ("before", "after", "sender"),
    [
        (b"To: alice", b"To: team", "<a@elsewhere.test>"),
        (b"From:", b"List-Id: <x.y>\r\nFrom:", "<a@elsewhere.test>"),
        (b"From:", b"Precedence: bulk\r\nFrom:", "<a@elsewhere.test>"),
        (b"From:", b"Auto-Submitted: auto-generated\r\nFrom:", "<a@elsewhere.test>"),
        (b"x", b"x", "<>"),
        (b"x", b"x", "<MAILER-DAEMON@elsewhere.test>"),
        (b"x", b"x", "<owner-list@elsewhere.test>"),
        (b"x", b"x", "<list-request@elsewhere.test>"),
        (b"x", b"x", "<no-reply@elsewhere.test>"),
    ],
)
def test_who_is_not_answered(site: Site, before: bytes, after: bytes, sender: str) -> None:
    script(site, "alice@example.test", VACATION)
    assert deliver(site, raw=TO_ALICE.replace(before, after, 1), sender=sender).startswith("250")
    assert len(site.messages("alice@example.test")) == 1
    assert queued(site) == []


@pytest.mark.rfc(5228, "2.10.6")
@pytest.mark.parametrize("text", ["nosuch;", 'require "ihave"; error "oh dear";'])
def test_a_broken_script_loses_nothing(site: Site, text: str) -> None:
    script(site, "alice@example.test", text)
    for _ in range(3):
        assert deliver(site).startswith("250")
    first, *rest = site.messages("alice@example.test")
    told = [raw for raw in (first, *rest) if b"Your mail filter has a mistake" in raw]
    assert len(told) == 1
    assert len(rest) == 3


@pytest.mark.rfc(7352, "3")
def test_duplicate(site: Site) -> None:
    script(site, "alice@example.test", 'require "duplicate"; if duplicate { discard; }')
    for _ in range(3):
        deliver(site)
    assert len(site.messages("alice@example.test")) == 1


def test_a_long_run_goes_on_in_a_thread(site: Site) -> None:
    many = "".join(f'if header :contains "subject" "rule{n}" {{ keep; }}' for n in range(5_000))
    script(site, "alice@example.test", many + "discard;")
    assert deliver(site).startswith("250")
    assert site.messages("alice@example.test") == []


def test_include_sees_the_new_version(site: Site) -> None:
    script(site, "", "discard;", "", "shared")
    script(site, "alice@example.test", 'require "include"; include :global "shared";')
    deliver(site)
    script(site, "", "keep;", "", "shared")
    deliver(site)
    assert len(site.messages("alice@example.test")) == 1


def test_domain_without_scripts(site: Site) -> None:
    def job(tx: Write) -> None:
        domains.create(tx, "plain.test", {})
        accounts.create(tx, parse("p@plain.test"), "hash")

    script(site, "example.test", "discard;", "before")
    site.store.write_now(job)
    deliver(site, "p@plain.test")
    assert len(site.messages("p@plain.test")) == 1


@pytest.mark.rfc(6134, "2.2", "2.3")
def test_lists_of_user_domain_and_server(site: Site) -> None:
    def job(tx: Write) -> None:
        tx.lists.add(owner(tx, "alice@example.test"), "block", ["@spam.test"])
        tx.lists.add(owner(tx, "example.test"), "block", ["a@elsewhere.test"])
        tx.lists.add(owner(tx, "alice@example.test"), "family", ["x@remote.example"])

    script(
        site,
        "alice@example.test",
        'require "extlists"; if address :list "from" "tag:mailserver,2026:block" { discard; }'
        'elsif header :contains "subject" "family" { redirect :list "tag:mailserver,2026:family"; }',
    )
    deliver(site)
    site.store.write_now(job)
    deliver(site)
    deliver(site, raw=TO_ALICE.replace(b"elsewhere.test>", b"spam.test>"))
    assert len(site.messages("alice@example.test")) == 1
    deliver(site, raw=TO_ALICE.replace(b"a@elsewhere", b"b@elsewhere").replace(b"news", b"family"))
    ((_, claimed, _),) = queued(site)
    assert [r.address for r in claimed.recipients] == ["x@remote.example"]


@pytest.mark.rfc(6134, "2.6")
def test_address_books(site: Site) -> None:
    def add(tx: Write) -> None:
        account = accounts.at(tx, parse("alice@example.test"))
        for name, address in (("", "A@elsewhere.test"), ("Family", "x@remote.example")):
            book = tx.contacts.make(account.id, name)
            contacts.add(tx, account, book, parse(address), "", f"uid {name}")

    script(
        site,
        "alice@example.test",
        'require ["extlists", "envelope", "fileinto", "mailbox"];'
        'if envelope :list "from" ":addrbook:default" { fileinto :create "Known"; }'
        'if valid_ext_list ":addrbook:Family" { redirect :list ":addrbook:Family"; }',
    )
    deliver(site, sender="<a@elsewhere.test>")
    site.store.write_now(add)
    deliver(site, sender="<a@elsewhere.test>")
    assert len(site.messages("alice@example.test")) == 1
    assert len(site.messages("alice@example.test", "Known")) == 1
    ((_, claimed, _),) = queued(site)
    assert [r.address for r in claimed.recipients] == ["x@remote.example"]


def test_an_answer_for_contacts_alone(site: Site) -> None:
    def job(tx: Write) -> None:
        account = accounts.at(tx, parse("alice@example.test"))
        book = tx.contacts.make(account.id)
        contacts.add(tx, account, book, parse("bob@elsewhere.test"), "Bob", "u1")
        reply = AutoReply("Away.", only_contacts=True)
        keeping.change(tx, account, lambda found: replace(found, auto_reply=reply), SieveLimits())

    site.store.write_now(job)
    raw = TO_ALICE.replace(b"a@elsewhere.test", b"bob@elsewhere.test")
    deliver(site, sender="<stranger@elsewhere.test>", raw=raw)  # From may say anything
    deliver(site, sender="<bob@elsewhere.test>", raw=raw)
    ((_, claimed, _),) = queued(site)
    assert [r.address for r in claimed.recipients] == ["bob@elsewhere.test"]


@pytest.mark.rfc(5260, "4.1")
def test_days_are_the_users(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require ["date", "imap4flags"]; if currentdate "zone" "+0545" { addflag "now"; }'
        'if date "date" "zone" "+0545" { addflag "sent"; }',
    )
    raw = b"Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n" + TO_ALICE
    deliver(site, raw=raw)

    def move(tx: Write) -> None:
        account = accounts.at(tx, parse("alice@example.test"))
        tx.accounts.set(account.id, time_zone="Asia/Kathmandu")

    site.store.write_now(move)
    until(lambda: deliver(site, raw=raw) and flags(site, "alice@example.test", "INBOX")[-1][1])
    assert flags(site, "alice@example.test", "INBOX")[0] == (0, "")
    assert flags(site, "alice@example.test", "INBOX")[-1] == (0, "now sent")


@pytest.mark.rfc(5232, "3")
@pytest.mark.parametrize(
    ("own", "inbox", "work"),
    [
        ('addflag "two";', ["one three two"], []),
        ("keep;", ["one"], []),
        ('setflag "two";', ["three two"], []),
        ('keep :flags "two";', ["three two"], []),
        ('fileinto :create "Work";', [], ["one"]),
        ('if hasflag "one" { fileinto :copy :create :flags "x" "Work"; }', ["one"], ["x"]),
    ],
)
def test_flags_go_from_script_to_script(site: Site, own: str, inbox, work) -> None:
    required = 'require ["imap4flags", "fileinto", "mailbox", "copy"];'
    script(site, "example.test", f'{required} addflag "one";', "before")
    script(site, "alice@example.test", f"{required} {own}")
    script(site, "", f'{required} if hasflag "two" {{ addflag "three"; }}', "after")
    make(site, "alice@example.test", "Work")
    deliver(site)
    for name, expected in (("INBOX", inbox), ("Work", work)):
        assert [words for _, words in flags(site, "alice@example.test", name)] == expected


NOTIFY = (
    'require ["enotify", "fcc", "mailbox", "imap4flags"];'
    'notify :fcc "Told" :create :flags "\\\\Seen" :importance "1" "mailto:x@remote.example,bob@example.test";'
)


@pytest.mark.rfc(5435, "3.6", "3.8")
@pytest.mark.rfc(5436, "2.7", "2.7.1")
@pytest.mark.rfc(8580, "3")
def test_notify(site: Site) -> None:
    script(site, "alice@example.test", NOTIFY)
    deliver(site)
    assert len(site.messages("alice@example.test")) == 1
    ((_, claimed, data),) = queued(site)
    assert claimed.queued.sender == "alice@example.test"
    assert [r.address for r in claimed.recipients] == ["x@remote.example"]
    for field in (
        b'Auto-Submitted: auto-notified; owner-email="alice@example.test"\r\n',
        b"From: alice@example.test\r\n",
        b"To: x@remote.example, bob@example.test\r\n",
        b"Subject: [x] news\r\n",
        b"References: <1@elsewhere.test>\r\n",
        b"Importance: high\r\n",
        b"\r\nThere is new mail for alice@example.test.\r\nFrom: Friend <a@elsewhere.test>\r\n",
    ):
        assert field in data
    (his,) = site.messages("bob@example.test")
    assert his.startswith(b"Return-Path: <alice@example.test>\r\n")
    (copy,) = site.messages("alice@example.test", "Told")
    assert copy.startswith(b"Auto-Submitted: ")
    assert flags(site, "alice@example.test", "Told") == [(1, "")]
    # what a program sent notifies nobody; what nobody sent does, and nobody hears of a failure
    automatic = TO_ALICE.replace(b"From:", b"Auto-Submitted: auto-notified\r\nFrom:", 1)
    deliver(site, raw=automatic)
    assert len(site.messages("bob@example.test")) == 1
    deliver(site, sender="<>")
    assert site.messages("bob@example.test")[1].startswith(b"Return-Path: <>\r\n")


@pytest.mark.rfc(5435, "3.3")
def test_nobody_writes_as_somebody_else(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require ["enotify", "vacation"];'
        'notify :from "bob@example.test" "mailto:x@remote.example";'
        'notify :from "Team <team@example.test>" "mailto:y@remote.example";'
        'vacation :from "bob@example.test" "gone";',
    )
    deliver(site)
    found = {c.recipients[0].address: data for _, c, data in queued(site)}
    assert b"\r\nFrom: alice@example.test\r\n" in found["x@remote.example"]
    assert b"\r\nFrom: Team <team@example.test>\r\n" in found["y@remote.example"]
    assert b"From: alice@example.test\r\n" in found["a@elsewhere.test"]
    assert sum("may not write as" in step.reason for step in site.traces[0].steps) == 2


@pytest.mark.rfc(5436, "5")
def test_notifications_of_an_hour_are_bounded(site: Site) -> None:
    script(site, "alice@example.test", 'require "enotify"; notify "mailto:bob@example.test";')
    account = site.store.read_now(lambda tx: accounts.at(tx, parse("alice@example.test")).id)

    def many(tx: Write) -> None:
        for n in range(site.limits.sieve.notify_hourly - 1):
            tx.sieve_memory.note(account, f"notify {n}", tx.now + 1_000)
        tx.sieve_memory.note(account, "notify old", tx.now - 1)

    site.store.write_now(many)
    deliver(site)
    deliver(site)
    assert len(site.messages("alice@example.test")) == 2
    assert len(site.messages("bob@example.test")) == 1


@pytest.mark.rfc(8580, "5")
def test_copies_of_answers(site: Site) -> None:
    script(
        site,
        "alice@example.test",
        'require ["vacation", "fcc"]; vacation :fcc "Sent" :days 1 "I am away.";',
    )
    deliver(site)
    deliver(site)
    (copy,) = site.messages("alice@example.test", "Sent")
    assert copy.startswith(b"From: alice@example.test\r\nTo: a@elsewhere.test\r\n")


@pytest.mark.parametrize("address", ["a@b_c", "a@-x.test", "a@x.test."])
def test_addresses_that_cannot_be_used(site: Site, address: str) -> None:
    script(
        site,
        "alice@example.test",
        f'require "enotify"; redirect "{address}"; notify "mailto:{address}";',
    )
    assert deliver(site).startswith("250")
    assert len(site.messages("alice@example.test")) == 1
    assert queued(site) == []


@pytest.mark.rfc(5490, "3.3", "3.4", "4.1", "4.2")
def test_annotations(site: Site) -> None:
    def job(tx: Write) -> None:
        alice = accounts.at(tx, parse("alice@example.test")).id
        inbox = tx.mailboxes.get(alice, "INBOX").id
        tx.annotations.set(alice, inbox, {"/private/vendor/x/away": b"on", "/shared/comment": b"c"})
        tx.annotations.set(alice, SERVER, {"/private/vendor/x/to": "Grüße".encode()})

    site.store.write_now(job)
    make(site, "alice@example.test", "A", "B", "C", "D", "E")
    script(
        site,
        "alice@example.test",
        'require ["mboxmetadata", "servermetadata", "fileinto", "copy"];'
        'if metadata "inbox" "/PRIVATE/vendor/x/away" "ON" { fileinto :copy "A"; }'
        'if metadataexists "INBOX" ["/private/vendor/x/away", "/shared/comment"] { fileinto :copy "B"; }'
        'if servermetadata :contains "/private/vendor/x/to" "grüß" { fileinto :copy "C"; }'
        'if servermetadataexists "/shared/admin" { fileinto :copy "D"; }'
        'if anyof(metadataexists "A" "/private/vendor/x/away", metadataexists "no" "/shared/comment",'
        ' metadataexists "INBOX" "/private/vendor/x", servermetadataexists "/private/comment")'
        ' { fileinto :copy "E"; }',
    )
    deliver(site)
    found = [len(site.messages("alice@example.test", name)) for name in ("A", "B", "C", "D", "E")]
    assert found == [1, 1, 1, 1, 0]
