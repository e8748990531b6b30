"""Scripts that run for what users do in mailboxes: here and in Debian's Dovecot with Pigeonhole's imap_sieve."""

import os
import pwd
import socket
from collections.abc import Callable, Iterator, Mapping

import pytest

from mailserver.jobs import mailbox_events
from mailserver.store.scripts import Owner
from mailserver.store.tx import Write
from outside.debian import OWNER, Debian, why_not
from servers import event_cases
from servers.event_bench import Events
from servers.event_cases import ARRIVALS, STORES, act, contents, put, said, uid
from servers.imap_bench import _HASH, PASSWORD, Wire

SCRIPTS = [*event_cases.SCRIPTS.splitlines(), *event_cases.MISTAKES.splitlines()]

_CONF = """
mail_attribute_dict = file:%h/attributes
protocol imap {
  imap_metadata = yes
  mail_plugins = imap_sieve
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_plugins = sieve_imapsieve
  sieve_extensions = +editheader +mboxmetadata +servermetadata +special-use
  imapsieve_url = sieve://localhost
  imapsieve_mailbox1_name = Learn
  imapsieve_mailbox1_causes = COPY
  imapsieve_mailbox1_before = file:HOME/into.sieve
  imapsieve_mailbox2_name = *
  imapsieve_mailbox2_from = Learn
  imapsieve_mailbox2_causes = COPY
  imapsieve_mailbox2_before = file:HOME/out-of.sieve
  imapsieve_mailbox3_name = Kept
  imapsieve_mailbox3_causes = APPEND
  imapsieve_mailbox3_after = file:HOME/behind.sieve
}
"""

#: what administrators have run: name -> mailbox, from where, causes, place, script
_WATCHED = {
    "into": ("Learn", "*", ["COPY"], "before", 'addflag "learnt";'),
    "out-of": ("*", "Learn", ["COPY"], "before", 'removeflag "learnt"; addflag "unlearnt";'),
    "behind": ("Kept", "*", ["APPEND"], "after", 'if hasflag "own" { addflag "behind"; }'),
}

_AGAIN = "what is not kept is marked whenever a script says so, also where the mark was taken away (RFC 6785 §2.2.4)"
_IMMUTABLE = "no message in a mailbox is ever changed (RFC 6785 §3.7)"
_TAKEN = r"""
discard;
fileinto "Other";
fileinto :create "made/here";
fileinto :copy :create "made/here"; discard;
setflag ["only", "\\Answered"]; fileinto "Other";
fileinto "INBOX";
fileinto :specialuse "\\Sent" "Other";
fileinto :specialuse "\\All" "Other";
fileinto :specialuse "\\All" :create "made/for/all";
"""

#: script -> (why we differ, the subjects of the messages in "Work" for which we do; none: for all)
DIFFERENCES: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(_TAKEN.strip().splitlines(), (_AGAIN, ("replaced",))),
    'if hasflag :contains ["a", "b"] { addflag "had"; } else { addflag "had-not"; }': (
        "flags that a script sets where messages arrive are one more event (RFC 6785 §2.2.3)",
        ("appended",),
    ),
    'if environment :is "imap.changedflags" "" { addflag "by-none"; }': (
        "where no flag was changed this is the empty string (RFC 6785 §4.5)",
        (),
    ),
    'addheader "X-Added" "here"; fileinto :copy "Other";': (_IMMUTABLE, ()),
}


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Debian]:
    missing = why_not()
    if missing:
        pytest.skip(missing)
    peer = Debian(count=len(SCRIPTS) + 3, with_postfix=False)
    conf = peer.home / "dovecot.conf"
    conf.write_text(conf.read_text() + _CONF.replace("HOME", str(peer.home)))
    for name, (*_, script) in _WATCHED.items():
        (peer.home / f"{name}.sieve").write_text(event_cases.BEFORE + script)
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Events]:
    before, mailbox_events.REST_S = mailbox_events.REST_S, 0.0
    bench = Events(tmp_path_factory.mktemp("events") / "data")
    bench.begin()
    bench.store.write_now(_watch)
    yield bench
    bench.end()
    mailbox_events.REST_S = before


def _watch(tx: Write) -> None:
    for name, (mailbox, source, causes, place, text) in _WATCHED.items():
        script = tx.scripts.put(Owner(), name, (event_cases.BEFORE + text).encode())
        tx.events.watch(script.id, place, causes, mailbox, source)


def at_dovecot(peer: Debian, number: int, scripts: Mapping[str, str]) -> Wire:
    account, user = peer.accounts[number], pwd.getpwnam(OWNER)
    home = peer.home / "mail" / account.address
    (home / "sieve").mkdir(parents=True)
    for name, script in scripts.items():
        (home / f"sieve/{name}.sieve").write_text(script)
    for path in (home, *home.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    wire = Wire(socket.create_connection(("127.0.0.1", peer.ports["imap"]), 10))
    assert wire.line().startswith(b"* OK")
    said(wire, f'LOGIN {account.address} "{account.password}"')
    return wire


def here(bench: Events, name: str, scripts: Mapping[str, str]) -> Wire:
    def job(tx: Write) -> None:
        account = tx.accounts.add(tx.domains.by_name("example.test").id, name, _HASH)
        for one, script in scripts.items():
            tx.scripts.put(Owner(account=account.id), one, script.encode())

    bench.store.write_now(job)
    wire = bench.connect()
    assert wire.line().startswith(b"* OK")
    said(wire, f"LOGIN {name}@example.test {PASSWORD}")
    return wire


def lived(wire: Wire, settled: Callable[[], object]) -> dict[str, list[str]]:
    """What is in the mailboxes after a user has done all that can be done in one."""
    for command in ("CREATE Work", "CREATE Other"):
        said(wire, command)
    said(wire, 'SETMETADATA Work (/shared/imapsieve/script "events")')
    for what in ARRIVALS:
        act(wire, "Work", what)
    for what in STORES:
        put(wire, "Work", "(a)", what)
    settled()
    said(wire, "SELECT Work")
    for what, store in STORES.items():
        said(wire, f"UID STORE {uid(wire, what)} {store}")
    settled()
    found = contents(wire)
    wire.close()
    return found


@pytest.mark.rfc(6785, "2.2", "3.1", "3.3", "3.8", "4")
@pytest.mark.needs("dovecot", "sieve-test")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script[:40])
def test_scripts(dovecot: Debian, bench: Events, script: str) -> None:
    number = SCRIPTS.index(script)
    name = dovecot.accounts[number].address.partition("@")[0]
    scripts = {"events": event_cases.BEFORE + script}
    theirs = lived(at_dovecot(dovecot, number, scripts), lambda: None)
    ours = lived(here(bench, f"{name}-here", scripts), bench.settled)
    ours = {box.replace("-here", ""): found for box, found in ours.items()}
    ours["INBOX"] = [
        line for line in ours["INBOX"] if "has a mistake" not in line
    ]  # its owner is told
    if script in DIFFERENCES:
        assert ours != theirs
        _, subjects = DIFFERENCES[script]
        for found in (ours, theirs):
            lines = found.pop("Work", [])
            found["Work"] = [line for line in lines if subjects and not line.startswith(subjects)]
    assert ours == theirs


#: question -> why we answer it in another way
ANSWERS: dict[str, str] = {
    'mailboxexists ""': "there is no mailbox without a name (RFC 5490 §3.1)",
    'mailboxexists "only"': "names above a new mailbox are made as mailboxes, too (RFC 9051 §6.3.4)",
}


@pytest.mark.rfc(5490, "3.1", "3.3", "3.4", "4.1", "4.2")
@pytest.mark.rfc(8579, "3")
@pytest.mark.needs("dovecot", "sieve-test")
def test_questions(dovecot: Debian, bench: Events) -> None:
    questions = {f"q{n}": one for n, one in enumerate(event_cases.QUESTIONS.splitlines())}
    scripts = {
        name: f'{event_cases.ASKING} if {one} {{ addflag "yes"; }}'
        for name, one in questions.items()
    }

    def answers(wire: Wire, settled: Callable[[], object]) -> set[str]:
        for command in ("CREATE Work", "CREATE Other", *event_cases.FURNISHED.splitlines()):
            said(wire, command)
        for name in questions:
            said(wire, f"CREATE {name}")
            said(wire, f'SETMETADATA {name} (/shared/imapsieve/script "{name}")')
            put(wire, name, "", "question")
        settled()
        found = contents(wire)
        return {one for name, one in questions.items() if found[name] == ["question: yes"]}

    ours = answers(here(bench, "asking", scripts), bench.settled)
    theirs = answers(at_dovecot(dovecot, len(SCRIPTS) + 2, scripts), lambda: None)
    assert sorted(ours ^ theirs) == sorted(ANSWERS)


@pytest.mark.needs("dovecot", "sieve-test")
@pytest.mark.parametrize("has_own", [True, False])
def test_scripts_of_administrators(dovecot: Debian, bench: Events, has_own: bool) -> None:
    """Around the user's own, for causes, mailboxes, and where messages are copied from; flags go on to the next."""
    scripts = {"events": event_cases.BEFORE + 'addflag "own";'}

    def learnt(wire: Wire, settled: Callable[[], object]) -> dict[str, list[str]]:
        for name in ("Learn", "Kept", "Work"):
            said(wire, f"CREATE {name}")
            if has_own:
                said(wire, f'SETMETADATA {name} (/shared/imapsieve/script "events")')
        act(wire, "Learn", "copied")
        act(wire, "Learn", "moved")
        put(wire, "Learn", "", "appended")
        put(wire, "Kept", "", "behind")
        put(wire, "INBOX", "", "elsewhere")
        settled()
        said(wire, "SELECT Learn")
        said(wire, f"UID STORE {uid(wire, 'copied')} +FLAGS (x)")
        said(wire, f"UID MOVE {uid(wire, 'moved')} Work")
        said(wire, f"UID COPY {uid(wire, 'appended')} INBOX")
        settled()
        return contents(wire)

    number, name = len(SCRIPTS) + has_own, f"learner{has_own:d}"
    theirs = learnt(at_dovecot(dovecot, number, scripts), lambda: None)
    assert learnt(here(bench, name, scripts), bench.settled) == theirs
