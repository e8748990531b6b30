"""Thunderbird, without a window, fetches the whole mailbox into its profile."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from outside import nss
from outside.corpus import Sample
from outside.mail import fill
from outside.meter import wait_until
from outside.programs import environment
from outside.server import Account, Server
from outside.wire import Imap

pytestmark = pytest.mark.needs("thunderbird")

PREFERENCES = """
user_pref("mail.accountmanager.accounts", "account1");
user_pref("mail.accountmanager.defaultaccount", "account1");
user_pref("mail.account.account1.server", "server1");
user_pref("mail.account.account1.identities", "id1");
user_pref("mail.identity.id1.useremail", "{user}");
user_pref("mail.identity.id1.fullName", "A Person");
user_pref("mail.identity.id1.valid", true);
user_pref("mail.server.server1.type", "imap");
user_pref("mail.server.server1.hostname", "localhost");
user_pref("mail.server.server1.port", {port});
user_pref("mail.server.server1.userName", "{user}");
user_pref("mail.server.server1.name", "{user}");
user_pref("mail.server.server1.socketType", 0);
user_pref("mail.server.server1.authMethod", 3);
user_pref("mail.server.server1.login_at_startup", true);
user_pref("mail.server.server1.check_new_mail", true);
user_pref("mail.server.server1.offline_download", true);
user_pref("mail.server.server1.autosync_offline_stores", true);
user_pref("mail.server.server1.timeout", 29);
user_pref("mail.server.default.autosync_max_age_days", -1);
user_pref("mailnews.auto_config.guess.enabled", false);
user_pref("mail.rights.version", 1);
user_pref("mail.shell.checkDefaultClient", false);
user_pref("mail.spotlight.firstRunDone", true);
user_pref("mail.winsearch.firstRunDone", true);
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mailnews.start_page.enabled", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("datareporting.policy.firstRunURL", "");
user_pref("app.donation.eoy.version.viewed", 999);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.proxy.type", 0);
user_pref("network.dns.disableIPv6", true);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1/");
user_pref("extensions.update.enabled", false);
user_pref("mailnews.database.global.indexer.enabled", false);
user_pref("mailnews.mark_message_read.auto", false);
"""


def test_thunderbird_fetches_the_mailbox(
    server: Server, account: Account, samples: list[Sample], tmp_path: Path
) -> None:
    clean = [s for s in samples if s.is_clean and b"\nFrom " not in s.raw and len(s.raw) < 30_000]
    chosen = clean[:: len(clean) // 150][:150]
    with Imap(server, account) as imap:
        fill(imap, "INBOX", chosen)
    profile = tmp_path / "profile"
    profile.mkdir()
    libraries = {"LD_LIBRARY_PATH": str(Path(nss.LIBRARY).parent)}
    words = (str(profile), "imap://localhost", account.address, account.password)
    subprocess.run(
        [sys.executable, nss.__file__, *words], env=environment(tmp_path) | libraries, check=True
    )
    text = PREFERENCES.format(user=account.address, port=server.ports["imap"])
    (profile / "prefs.js").write_text(text)

    log = tmp_path / "imap.log"
    debug = {"MOZ_LOG": "IMAP:4,timestamp,sync", "MOZ_LOG_FILE": str(log), "MOZ_HEADLESS": "1"}
    process = subprocess.Popen(
        ["thunderbird", "--headless", "--no-remote", "--profile", str(profile)],
        env=environment(tmp_path) | debug,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        held = wait_until(lambda: len(bodies(profile)) >= len(chosen), 150, every_s=1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    said = "".join(p.read_text(errors="replace")[-3000:] for p in tmp_path.glob("imap.log*"))
    assert held, f"{len(bodies(profile))} of {len(chosen)} messages after 150 s\n{said}"
    assert Counter(bodies(profile)) == Counter(plain(s.raw) for s in chosen)


def bodies(profile: Path) -> list[bytes]:
    """The messages in the profile's copy of the INBOX."""
    boxes = list(profile.glob("ImapMail/*/INBOX"))
    if not boxes:
        return []
    return [plain(raw) for raw in re.split(rb"(?m)^From [^\n]*\n", boxes[0].read_bytes())[1:]]


def plain(raw: bytes) -> bytes:
    """The message text alone: Thunderbird adds header fields of its own, and mbox quotes From."""
    body = re.sub(rb"\r?\n", b"\n", raw).partition(b"\n\n")[2]
    return body.strip(b"\n")
