"""An rspamd of its own: it knows our keys, asks no DNS, judges signatures and makes some."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from pathlib import Path

from mailauth.dkim.peers import PEM
from mailauth.dkim.signing import KEYS
from mailserver.mailauth.dkim.keys import record_text

_CONFIG = """
options {{
  pidfile = "{home}/rspamd.pid";
  tempdir = "{home}";
  url_tld = "{home}/suffixes";
  cache_file = "{home}/symbols.cache";
  control_socket = "{home}/control.sock mode=0600";
  filters = "dkim";
  disable_hyperscan = true;
  local_addrs = ["192.0.2.0/24"];
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 1s; retransmits = 1; fake_records = [ {records} ]; }}
}}
logging {{ type = "file"; filename = "{home}/log"; level = "info"; }}
worker "normal" {{ bind_socket = "{home}/normal.sock mode=0666"; count = 1; mime = true; }}
modules {{ path = "/usr/share/rspamd/plugins/dkim_signing.lua"; path = "/usr/share/rspamd/plugins/arc.lua"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
dkim {{ }}
arc {{ enabled = true; }}
dkim_signing {{
  enabled = true; sign_authenticated = true; allow_username_mismatch = true; use_esld = false;
  domain {{ example.org {{ selector = "rsa"; path = "{home}/private.pem"; }} }}
}}
"""


class Rspamd:
    """Runs in the directory *home* until `stop`."""

    def __init__(self, home: Path) -> None:
        self._place = home / "normal.sock"
        records = (
            f'{{ name = "{key.record_name}"; type = "txt"; replies = ["{record_text(key.private)}"]; }}'
            for key in KEYS
        )
        (home / "rspamd.conf").write_text(_CONFIG.format(home=home, records=", ".join(records)))
        (home / "suffixes").write_text("com\norg\n")
        (home / "private.pem").write_bytes(PEM)
        self._log = home / "log"
        self._output = home / "output"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                ["rspamd", "-i", "-f", "-c", home / "rspamd.conf"], stdout=output, stderr=output
            )
        deadline = time.monotonic() + 60
        while not self._is_listening():
            assert self._process.poll() is None, self._said()
            assert time.monotonic() < deadline, self._said()
            time.sleep(0.05)

    def ask(self, message: bytes, **fields: str) -> dict[str, object]:
        """What rspamd finds about *message*; *fields* tell of its transaction, as User, From."""
        connection = http.client.HTTPConnection("rspamd", timeout=30)
        connection.sock = self._connected()
        connection.request("POST", "/checkv2", message, fields)
        return json.loads(connection.getresponse().read())

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(30)

    def _connected(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(30)
            sock.connect(str(self._place))
        except OSError:
            sock.close()
            raise
        return sock

    def _is_listening(self) -> bool:
        try:
            self._connected().close()
        except OSError:
            return False
        return True

    def _said(self) -> str:
        log = self._log.read_text() if self._log.exists() else ""
        return self._output.read_text() + log[-4_000:]
