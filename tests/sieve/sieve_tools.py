"""Scripts run here and by Pigeonhole, their actions in the same words."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from mailserver.base.limits import MimeLimits, SieveLimits
from mailserver.mime import parts, scan
from mailserver.sieve.actions import (
    Action,
    Discard,
    FileInto,
    Keep,
    Notify,
    Redirect,
    Reject,
    Vacation,
)
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.message import Message
from mailserver.sieve.run import Outcome, run
from mailserver.sieve.scores import Scores

LIMITS = SieveLimits()
SENDER, RECIPIENT = "bob+lists@example.com", "alice+detail@example.test"


def message(raw: bytes) -> Message:
    """*raw* as the interpreter sees it."""
    root = parts.scan(raw, MimeLimits())
    return Message(raw, root.body_start, len(raw), lambda: scan.layout(root))


def outcome(script: str, raw: bytes, limits: SieveLimits = LIMITS, **known: object) -> Outcome:
    """What the interpreter does with *script* and *raw*."""
    about: dict[str, object] = {
        "sender": SENDER,
        "recipient": RECIPIENT,
        "now": datetime(2026, 11, 22, tzinfo=UTC),
    }
    about["scores"] = Scores("X-Spam-Score", 5.0, "X-Virus")
    program = compile_script(script.encode(), limits)
    return run(program, message(raw), Environment(**{**about, **known}), limits)  # type: ignore[arg-type]


def shown(script: str, raw: bytes, **known: object) -> list[str]:
    """The actions, each in a line; a run that broke off says "error" first."""
    done = outcome(script, raw, **known)
    error = ["error"] if done.error else []
    return error + [line for action in done.actions for line in told(action)]


def told(action: Action) -> list[str]:
    """One action in words."""
    match action:
        case Keep(flags=flags):
            return [_flagged("store INBOX", flags)]
        case FileInto(mailbox=mailbox, flags=flags):
            return [_flagged(f"store {mailbox}", flags)]
        case Redirect(address=address):
            return [f"redirect {address}"]
        case Discard():
            return ["discard"]
        case Reject(reason=reason):
            return [f"reject {_line(reason)}"]
        case Vacation(seconds=seconds, subject=subject, reason=reason):
            return [f"vacation {seconds} {subject} {_line(reason)}".replace("  ", " ")]
        case Notify():
            return _notified(action)
    raise AssertionError(action)


def _notified(notify: Notify) -> list[str]:
    mail, subject = notify.mail, notify.message
    subject = mail.subject if subject is None else subject
    said = [f"notify {notify.importance}"]
    said += [] if subject is None else [f"subject {subject}"]
    said += [f"from {notify.sender}"] if notify.sender else []
    said += [f"To: {address}" for address in mail.to] + [f"Cc: {address}" for address in mail.cc]
    said += [f"{name.lower()}: {value}" for name, value in mail.fields]
    said += [] if mail.body is None else [f"body {mail.body}"]
    return [_line(" ".join(said))]


def _line(text: str) -> str:
    return " ".join(text.split())


def _flagged(text: str, flags: tuple[str, ...] | None) -> str:
    return text + "".join(f" {flag}" for flag in sorted(f.lower() for f in flags or ()))


# Pigeonhole

_CONF = """\
mail_location = maildir:{home}/Maildir
mail_home = {home}
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
base_dir = {home}/base
log_path = /dev/stderr
plugin {{
  sieve_extensions = +editheader +vacation-seconds +spamtest +spamtestplus +virustest +mboxmetadata +servermetadata
  sieve_vacation_min_period = 0
  sieve_spamtest_status_type = score
  sieve_spamtest_status_header = X-Spam-Score: (-?[0-9.]+)
  sieve_spamtest_max_value = 5
  sieve_virustest_status_type = score
  sieve_virustest_status_header = X-Virus: ([0-9])
  sieve_virustest_max_value = 5
  sieve_max_actions = 1000
  sieve_max_redirects = 10
  recipient_delimiter = +
}}
"""


class Pigeonhole:
    """`sieve-test` with a configuration of its own below *folder*."""

    def __init__(self, folder: Path, uid: int, gid: int) -> None:
        self.folder = folder
        home = folder / "home"
        (home / "base").mkdir(parents=True)
        for path in (folder, home, home / "base"):
            path.chmod(0o777)
        self.conf = folder / "dovecot.conf"
        self.conf.write_text(_CONF.format(home=home, uid=uid, gid=gid))
        self.count = 0

    def shown(self, script: str, raw: bytes) -> list[str]:
        """The actions in the words of `shown`; "does not compile" where it does not."""
        self.count += 1
        place = self.folder / f"s{self.count}"
        place.with_suffix(".sieve").write_text(script)
        place.with_suffix(".eml").write_bytes(raw)
        done = subprocess.run(
            [
                *("sieve-test", "-c", str(self.conf), "-r", RECIPIENT, "-a", RECIPIENT),
                *("-f", SENDER, f"{place}.sieve", f"{place}.eml"),
            ],
            capture_output=True,
            timeout=30,
            check=False,
            env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
        )
        out = done.stdout.decode(errors="replace")
        if b"final result: failed" in done.stderr:
            return ["error", "store INBOX"]
        if "Performed actions" not in out:
            return ["does not compile"]
        return _read(out)


def _read(out: str) -> list[str]:
    actions: list[str] = []
    text: list[str] | None = None
    out = re.sub(r"(?s)(=> body +: )\n--\n(.*?)\n--\n", lambda m: m[1] + _line(m[2]) + "\n", out)
    for line in out.splitlines():
        if line == "START MESSAGE":
            text = []
        elif line == "END MESSAGE":
            actions[-1] = f"{actions[-1]} {_line(' '.join(text or []))}".replace("  ", " ")
            text = None
        elif text is not None:
            text.append(line)
        elif m := re.match(r" \* (store message in folder|redirect message to): <?(.*?)>?$", line):
            actions.append(f"{'store' if m[1].startswith('store') else 'redirect'} {m[2]}")
        elif m := re.match(r" \* reject message with reason: (.*)$", line):
            actions.append(f"reject {_line(m[1].replace('??', ' '))}")
        elif line == " * discard":
            actions.append("discard")
        elif line == " * send vacation message:":
            actions.append("vacation")
        elif line == " * send notification with method 'mailto:':":
            actions.append("notify")
        elif m := re.match(r"    => importance +: (.*)$", line):
            actions[-1] += f" {m[1]}"
        elif m := re.match(r"    => (from|body) +: (.*)$", line):
            actions[-1] += f" {m[1]} {_line(m[2])}"
        elif m := re.match(r"       \+ (To|Cc|[\w-]+): (.*)$", line):
            actions[-1] += f" {m[1]}: {m[2]}"
        elif (m := re.match(r"    => subject +: (.*)$", line)) and "notify" in actions[-1]:
            actions[-1] += f" subject {m[1]}"
        elif m := re.match(r"    => (?:seconds|subject) *: (.*)$", line):
            actions[-1] += f" {m[1]}"
        elif m := re.match(r"\s+\+ (?:add|set) IMAP flags: (.*)$", line):
            flags = "".join(f" {flag}" for flag in sorted(m[1].lower().split()))
            actions[-1] += flags
    return actions
