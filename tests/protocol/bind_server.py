"""A real BIND 9 on loopback: its own folder, a free port, a TSIG key, and zones with records of others."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.protocol import debian_package

KEY_NAME = "m365se-test."
KEY_SECRET = "cHJhY3RpY2Utb25seS1ub3QtYS1zZWNyZXQtMDEyMzQ="
ZONE = "contoso.example"
OTHER_ZONE = "fabrikam.example"  # held here, but our key may change nothing in it
MICROSOFT_MX = "contoso-example.mail.protection.outlook.com"
PACKAGE = "bind9"
_START_SECONDS = 20

_CONFIG = """
options {{
    directory "{folder}";
    pid-file none; session-keyfile none; lock-file none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no; empty-zones-enable no;
    allow-query {{ any; }};
}};
controls {{ }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{zone}" {{
    type primary; file "{zone}.zone";
    update-policy {{ grant {key} zonesub MX TXT; }};
}};
zone "{other}" {{ type primary; file "{other}.zone"; allow-update {{ none; }}; }};
"""

_RECORDS = """$TTL 3600
@ IN SOA ns1.{zone}. hostmaster.{zone}. 1 3600 600 86400 60
@ IN NS ns1.{zone}.
@ 300 IN MX 0 {mx}.
@ 600 IN A 192.0.2.80
@ 600 IN TXT "v=spf1 include:spf.protection.outlook.com -all"
ns1 IN A 127.0.0.1
mx1 IN A 192.0.2.10
mx2 IN A 192.0.2.11
alias IN CNAME mx1.{zone}.
null IN MX 0 .
long IN TXT "first " "second"
"""


class BindServer:
    """One `named` process. `mx`, `records` ask it as anybody would, unsigned."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._environment, self._folder = debian_package.environment(program), folder
        self._program = Path(
            shutil.copy(program, folder)
        )  # AppArmor lets the system's one read /etc/bind only
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        for zone in (ZONE, OTHER_ZONE):
            many = "".join(f'many IN TXT "{n} {"x" * 60}"\n' for n in range(40))  # too much for UDP
            (folder / f"{zone}.zone").write_text(_RECORDS.format(zone=zone, mx=MICROSOFT_MX) + many)
        names = {"zone": ZONE, "other": OTHER_ZONE, "key": KEY_NAME, "secret": KEY_SECRET}
        config = _CONFIG.format(folder=folder, port=self.port, **names)
        (folder / "named.conf").write_text(config)

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-g", "-n", "1", "-c", self._folder / "named.conf"],
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                pytest.fail(f"named did not start:\n{(self._folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    def records(self, name: str = ZONE) -> dict[str, str]:
        """A name's records of the usual kinds: kind → text with TTL."""
        answers = {kind: self._ask(name, kind) for kind in ("A", "MX", "NS", "TXT")}
        found = {kind: "\n".join(sorted(str(one) for one in a.answer)) for kind, a in answers.items()}
        return {kind: text for kind, text in found.items() if text}

    def mx(self, name: str = ZONE) -> list[str]:
        """TTL, preference and host of each MX."""
        return sorted(f"{rrset.ttl} {record}" for rrset in self._ask(name, "MX").answer for record in rrset)

    def _ask(self, name: str, kind: str) -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        return dns.query.tcp(query, "127.0.0.1", port=self.port, timeout=5)

    def _answers(self) -> bool:
        try:
            return self._ask(ZONE, "SOA").rcode() == dns.rcode.NOERROR
        except (OSError, EOFError):
            threading.Event().wait(0.02)  # the pause between two looks at the condition
            return False


def named_program(cache: Path) -> Path:
    """BIND's `named`."""
    return debian_package.program("named", PACKAGE, cache)


def _free_port() -> int:
    """A port that is free for TCP and UDP alike."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
