"""What users do in mailboxes with scripts, over a client that any IMAP server understands, and what becomes of it."""

import re

from servers.imap_bench import Wire

BEFORE = (
    'require ["imapsieve", "environment", "fileinto", "copy", "imap4flags", "mailbox", "variables",'
    ' "editheader", "special-use", "relational", "comparator-i;ascii-numeric"];'
)

_FETCHED = re.compile(
    rb'\* \d+ FETCH \(FLAGS \(([^)]*)\) RFC822.SIZE (\d+) ENVELOPE \((?:NIL|"[^"]*") "([^"]*)"'
)

#: each in all the mailboxes that `act` uses; the messages of each have its name as their subject
SCRIPTS = """\
keep;
fileinto :specialuse "\\\\Sent" "Other";
fileinto :specialuse "\\\\All" "Other";
fileinto :specialuse "\\\\All" :create "made/for/all";
discard;
stop;
fileinto "Other";
fileinto :copy "Other";
fileinto "nosuch";
fileinto :create "made/here";
fileinto :copy :create "made/here"; discard;
addflag "found";
addflag "found"; keep;
setflag "only";
setflag ["only", "\\\\Answered"]; fileinto "Other";
removeflag ["a", "\\\\Flagged"];
keep :flags "kept";
keep :flags "";
fileinto :flags ["there", "\\\\Seen"] "Other"; keep;
fileinto :copy :flags "" "Other";
if hasflag "\\\\Flagged" { fileinto :copy "Other"; }
if hasflag :contains ["a", "b"] { addflag "had"; } else { addflag "had-not"; }
if environment "imap.cause" "APPEND" { addflag "appended"; }
if environment "imap.cause" "COPY" { addflag "copied"; }
if environment :is "imap.cause" "FLAG" { addflag "flagged"; }
if environment :contains "imap.changedflags" "\\\\Flagged" { addflag "by-flag"; }
if environment :is "imap.changedflags" "a" { addflag "by-a"; }
if environment :is "imap.changedflags" ["a b", "b a"] { addflag "by-both"; }
if environment :is "imap.changedflags" "" { addflag "by-none"; }
if environment :matches "imap.mailbox" "*" { fileinto :copy :create "log/${1}"; }
if environment :matches "imap.user" "*@*" { fileinto :copy :create "who/${1}"; }
if environment :matches "imap.email" "*@*" { fileinto :copy :create "who/${1}"; }
if environment :matches "phase" "*" { fileinto :copy :create "phase-${1}"; }
if environment :matches "location" "*" { fileinto :copy :create "location-${1}"; }
if environment :count "eq" :comparator "i;ascii-numeric" "imap.nosuch" "1" { addflag "known"; }
if header "subject" "moved" { discard; } else { addflag "stays"; }
if mailboxexists "Other" { addflag "other"; }
if mailboxexists ["Other", "nosuch"] { addflag "both"; }
addheader "X-Added" "here"; fileinto :copy "Other";
fileinto "INBOX";
if size :over 10 { addflag "large"; }
set "n" "x"; fileinto :create "var/${n}"; keep;
"""

#: asked of the store by one script: what is set before is in `FURNISHED`
QUESTIONS = r"""
mailboxexists "Other"
mailboxexists "other"
mailboxexists "inbox"
mailboxexists "INBOX"
mailboxexists ["Other", "Work"]
mailboxexists ["Other", "nosuch"]
mailboxexists "only/below"
mailboxexists "only"
mailboxexists ""
metadataexists "Other" "/private/comment"
metadataexists "Other" ["/private/comment", "/shared/comment"]
metadataexists "Other" "/private/COMMENT"
metadataexists "Other" "/private/nosuch"
metadataexists "Other" ["/private/comment", "/private/nosuch"]
metadataexists "nosuch" "/private/comment"
metadataexists "Work" "/private/comment"
metadataexists "Work" "/shared/imapsieve/script"
metadata "Other" "/private/comment" "mine"
metadata "Other" "/private/comment" "MINE"
metadata :comparator "i;octet" "Other" "/private/comment" "MINE"
metadata :contains "Other" "/private/comment" "in"
metadata :matches "Other" "/private/comment" "m?n*"
metadata "Other" "/private/comment" ["x", "mine"]
metadata "Other" "/shared/comment" "ours"
metadata "Other" "/private/nosuch" ""
metadata :contains "Other" "/private/nosuch" ""
metadata "nosuch" "/private/comment" "mine"
metadata :value "gt" "Other" "/private/vendor/vendor.test/n" "4"
metadata :value "gt" :comparator "i;ascii-numeric" "Other" "/private/vendor/vendor.test/n" "4"
metadata :value "gt" :comparator "i;ascii-numeric" "Other" "/private/vendor/vendor.test/n" "40"
metadata "Work" "/shared/imapsieve/script" "events"
metadata :matches "Other" "/private/empty" "*"
servermetadataexists "/private/comment"
servermetadataexists ["/private/comment", "/private/nosuch"]
servermetadata "/private/comment" "all of it"
servermetadata :contains "/private/comment" "OF"
servermetadata "/private/nosuch" "x"
specialuse_exists "\\Sent"
specialuse_exists "\\sent"
specialuse_exists ["\\Sent", "\\Drafts"]
specialuse_exists ["\\Sent", "\\All"]
specialuse_exists "\\All"
specialuse_exists "Sent" "\\Sent"
specialuse_exists "Sent" "\\Drafts"
specialuse_exists "Sent" ["\\Sent", "\\Drafts"]
specialuse_exists "nosuch" "\\Sent"
specialuse_exists "Other" "\\Sent"
specialuse_exists "INBOX" "\\Sent"
""".strip()
ASKING = (
    'require ["mailbox", "mboxmetadata", "servermetadata", "special-use", "imap4flags", "relational",'
    ' "comparator-i;ascii-numeric"];'
)
FURNISHED = """\
CREATE only/below
SETMETADATA Other (/private/comment "mine" /shared/comment "ours")
SETMETADATA Other (/private/vendor/vendor.test/n "5" /private/empty "")
SETMETADATA "" (/private/comment "all of it")
SETMETADATA Work (/shared/imapsieve/script "events")
"""

#: further ones that both refuse or that break off: nothing happens to the message
MISTAKES = """\
fileinto "Other"; fileinto 5;
if envelope "from" "x" { discard; }
vacation "away";
require "nosuch"; discard;
require "vacation"; vacation "away";
require "reject"; reject "no";
"""


def act(wire: Wire, box: str, what: str) -> None:
    """One thing that users do, with a message of its own."""
    if what in ("copied", "moved"):
        put(wire, "INBOX", "(\\Seen a)", what)
        said(wire, "SELECT INBOX")
        said(wire, f"UID {'COPY' if what == 'copied' else 'MOVE'} {uid(wire, what)} {box}")
        return
    flags = {"appended": "", "with flags": "(\\Flagged a b)"}.get(what, "(a)")
    put(wire, box, flags, what)


STORES = {
    "set": "+FLAGS (\\Flagged b)",
    "taken": "-FLAGS (a)",
    "replaced": "FLAGS (c \\Seen)",
    "the same": "+FLAGS (a)",
}
ARRIVALS = ("appended", "with flags", "copied", "moved")


def message(subject: str) -> bytes:
    """One that has this subject."""
    return b"From: a@b.example\r\nSubject: %b\r\n\r\nhello\r\n" % subject.encode()


def put(wire: Wire, box: str, flags: str, subject: str) -> None:
    """APPEND."""
    raw = message(subject)
    where = f"{box} {flags}".strip().encode()
    wire.send(b"x APPEND %b {%d+}\r\n%b\r\n" % (where, len(raw), raw))
    assert wire.until(b"x ")[-1].startswith(b"x OK")


def uid(wire: Wire, subject: str) -> str:
    """That of the newest message with this subject in the selected mailbox."""
    lines = said(wire, f'UID SEARCH SUBJECT "{subject}"')
    (found,) = (line for line in lines if line.startswith(b"* SEARCH"))
    return found.split()[-1].decode()


def said(wire: Wire, command: str) -> list[bytes]:
    """The answer to a command that succeeds."""
    lines = wire.command(command)
    assert lines[-1].startswith(b"x OK"), lines[-1]
    return lines


def contents(wire: Wire) -> dict[str, list[str]]:
    """mailbox -> its messages, each as subject, whether its header was changed, and flags; none that is deleted."""
    found: dict[str, list[str]] = {}
    names = [
        m[1].decode()
        for line in said(wire, 'LIST "" "*"')
        if (m := re.match(rb'\* LIST \([^)]*\) "/" "?([^"]*)"?$', line)) and b"Noselect" not in line
    ]
    for name in names:
        said(wire, f'EXAMINE "{name}"')
        for line in wire.command("FETCH 1:* (FLAGS RFC822.SIZE ENVELOPE)"):
            m = _FETCHED.match(line)
            if m is None or b"\\Deleted" in m[1]:
                continue
            flags = " ".join(sorted(m[1].decode().replace("\\Recent", "").split()))
            is_changed = int(m[2]) != len(message(m[3].decode()))
            shown = f"{m[3].decode()}{' (changed)' if is_changed else ''}: {flags}"
            found.setdefault(name, []).append(shown.removesuffix(": "))
    return {name: sorted(lines) for name, lines in found.items()}
