"""The practice estate as a whole: both sides up, how a run finds them, and the command that starts them."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.__main__ import guidance
from lab.estate import Estate
from lab.internet.practice import PRACTICE_TSIG, PROBE_PASSWORD
from lab.mail.client import SmtpClient
from lab.mail.envelope import compose
from lab.tenant.web import PortTaken

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with Estate(tmp_path_factory.mktemp("estate"), lag_reads=2, wrap="off") as estate:
        yield estate


@pytest.fixture
def estate(running: Estate) -> Iterator[Estate]:
    before = running.snapshot()
    yield running
    running.restore(before)
    running.reset()


def connections(estate: Estate) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(estate.connect_file.read_text())
    return found


def test_the_connect_file_leads_to_what_listens(estate: Estate) -> None:
    names = connections(estate)
    wanted = {"esa1.bce-demo.example", "login.microsoftonline.com:443", "outlook.office365.com:443"}
    wanted |= {"graph.microsoft.com:443", "esa1.bce-demo.example:4431", "imap.probe.example:993"}
    wanted |= {"192.0.2.105:25", "198.51.100.186:25", "203.0.113.25:25", "203.0.113.80:25"}
    assert wanted | {f"{address}:53" for address in ("203.0.113.53", "9.9.9.9", "1.1.1.1")} <= set(names)
    for name, target in names.items():
        assert name == name.lower()
        smtp = name.endswith(":25")
        assert (target["proxy"], target.get("source")) == (smtp, "203.0.113.99" if smtp else None)
        with socket.create_connection(("127.0.0.1", int(str(target["port"]))), timeout=5) as connection:
            if ":" not in name:
                assert connection.recv(4) == b"SSH-"


def test_mail_of_the_outside_reaches_gateway_tenant_and_sink(estate: Estate) -> None:
    sender, sink = estate.internet.sender, estate.internet.sink
    at_tenant = sender.send(compose("ann@sender.example", "bob@bce-demo.com", "by MX"))
    assert (at_tenant.code, at_tenant.tls) == (250, "TLSv1.3")
    assert sender.sent[0].address == "203.0.113.25"
    sender.send(compose("ann@sender.example", "probe@probe.example", "to the sink"))
    assert sink.wait_for(lambda kept: kept.envelope.subject == "to the sink").peer == "203.0.113.90"
    with SmtpClient(estate.network, "203.0.113.99", "192.0.2.105") as client:
        refused = client.send(compose("ann@sender.example", "bob@bce-demo.com", "no such recipient yet"))
    assert 500 <= refused.code < 600


def test_a_port_that_moves_is_written_down(estate: Estate) -> None:
    before = connections(estate)["192.0.2.105:25"]
    estate.network.listen("192.0.2.105", 25, 1)
    assert connections(estate)["192.0.2.105:25"]["port"] == 1
    estate.network.listen("192.0.2.105", 25, int(str(before["port"])))
    assert connections(estate)["192.0.2.105:25"] == before
    estate.network.unlisten("192.0.2.105", 25)
    assert connections(estate)["192.0.2.105:25"] == before
    estate.network.listen("192.0.2.105", 25, int(str(before["port"])))


def test_a_second_tenant_has_its_own_side_and_shares_the_rest(tmp_path: Path) -> None:
    with Estate(tmp_path, second_tenant=True, lag_reads=3) as shared:
        assert shared.second is not None
        assert shared.second.initial_domain == "fabrikam.onmicrosoft.com"
        assert shared.second.switches.lag_reads == 3
        first = json.loads(Path(shared.environment["M365SE_CONNECT"]).read_text())
        second = json.loads(Path(shared.second_environment["M365SE_CONNECT"]).read_text())
        differing = {name for name in first if first[name] != second[name]}
        assert first.keys() == second.keys()
        assert {name.rpartition(":")[2] for name in differing} == {"443"}
        assert shared.second_environment["AZURE_CLIENT_SECRET"] != shared.environment["AZURE_CLIENT_SECRET"]
        shared.internet.sender.send(compose("ann@sender.example", "bob@fabrikam.example", "to the other"))
        assert shared.internet.sender.sent[0].address == "203.0.113.27"


@pytest.mark.parametrize(
    "name", ["login.microsoftonline.com", "outlook.office365.com", "outlook.office365.us"]
)
def test_tls_is_verified_by_the_real_names(estate: Estate, name: str) -> None:
    port = int(str(connections(estate)[f"{name}:443"]["port"]))
    context = ssl.create_default_context(cafile=str(estate.ca_file))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        assert secured.version() in ("TLSv1.2", "TLSv1.3")
    stranger = ssl.create_default_context(cafile=str(estate.ca_file))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        stranger.wrap_socket(plain, server_hostname="elsewhere.example")


def test_the_environment_has_what_a_run_needs(estate: Estate) -> None:
    environment = estate.environment
    assert Path(environment["M365SE_CONNECT"]) == estate.connect_file.resolve()
    assert environment["GATEWAY_PASSWORD"] == estate.gateway.password
    assert environment["AZURE_CLIENT_SECRET"] == estate.tenant.client_secret
    assert environment["OUTBOUND_SECRET"] == "mysecretkey"
    assert environment["DNS_TSIG_SECRET"] == PRACTICE_TSIG
    assert environment["PROBE_IMAP_PASSWORD"] == PROBE_PASSWORD


def test_a_cluster_brings_its_jump_host_and_its_own_tenant(tmp_path: Path) -> None:
    with Estate(tmp_path, "cluster") as cluster:
        names = connections(cluster)
        assert {f"esa{number}.hc1234-56.c3s2.iphmx.com" for number in (1, 2)} <= set(names)
        assert "f10-ssh.c3s2.iphmx.com" in names
        assert Path(cluster.environment["GATEWAY_KEY_FILE"]).stat().st_mode & 0o077 == 0
        assert cluster.tenant.initial_domain == "contoso.onmicrosoft.com"
        domains = [row["Name"] for row in cluster.tenant.invoke_by_hand("Get-AcceptedDomain")]
        assert domains[:2] == ["contoso.example", "shop.contoso.example"]


def test_dump_and_snapshot_hold_both_sides(estate: Estate) -> None:
    snapshot, before = estate.snapshot(), estate.dump()
    records = estate.network.zones.dump()
    estate.network.zones.set("bce-demo.com", "MX", "10 mx1.bce-demo.example")
    estate.internet.sender.send(compose("ann@sender.example", "probe@probe.example", "kept"))
    assert "transport rule Archive copies" in before
    route = ["smtproutes", "NEW", "new.example", "mx.new.example", "", "commit", "by hand", "Y"]
    estate.gateway.type_by_hand(route)
    estate.tenant.invoke_by_hand("Remove-TransportRule", Identity="No executables")
    after = estate.dump()
    assert "new.example" in after
    assert "No executables" not in after
    estate.restore(snapshot)
    assert estate.dump() == before
    assert estate.network.zones.dump() == records
    assert estate.internet.sink.received == []


def test_reset_goes_back_to_what_the_estate_was_made_with(estate: Estate) -> None:
    estate.tenant.switches.lag_reads = 9
    estate.gateway.wrap = "hard"
    estate.tenant.faults.add("*", "reset")
    estate.internet.authority.switches.servfail = True
    estate.internet.sink.door.faults.add("busy")
    estate.reset()
    assert not estate.internet.authority.switches.servfail
    assert not estate.internet.sink.door.faults
    assert estate.tenant.switches.lag_reads == 2
    assert estate.gateway.wrap == "off"
    assert estate.tenant.faults.take("Get-AcceptedDomain") is None


def test_a_switch_that_nobody_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="«nonsense»"):
        Estate(tmp_path, nonsense=True)


def test_a_port_that_is_taken_is_named(estate: Estate, tmp_path: Path) -> None:
    taken = estate.tenant.port
    with pytest.raises(PortTaken, match=f"port {taken} on 127.0.0.1 is taken"):
        Estate(tmp_path, ports={"tenant": taken})


def test_guidance_shows_how_to_log_in_to_both_sides(estate: Estate) -> None:
    text = "\n".join(line for _, lines in guidance(estate) for line in lines)
    member = estate.gateway.members[0]
    assert f"-p {member.local_port} admin@127.0.0.1" in text
    assert member.host_key in text
    assert estate.gateway.password in text
    assert f"127.0.0.1:{estate.tenant.port} https://login.microsoftonline.com/" in text
    assert f"export M365SE_CONNECT={estate.connect_file.resolve()}" in text


def lab(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "lab", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_command_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    process = lab("--folder", str(tmp_path), "--port", "0", "--journal", str(journal))
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "The lab is running." in line:
            break
    text = "".join(seen)
    connect = json.loads((tmp_path / "connect.json").read_text())
    with socket.create_connection(("127.0.0.1", connect["esa1.bce-demo.example"]["port"]), timeout=5) as made:
        assert made.recv(4) == b"SSH-"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0, text + rest
    assert rest.strip() == "stopped"
    assert "curl --silent --cacert" in text
    assert journal.exists()


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["--profile", "nonsense"], "no release profile «nonsense»; there are: ", 2),
        ([], "is taken", 1),
    ],
)
def test_the_command_says_in_a_line_why_it_does_not_start(
    estate: Estate, tmp_path: Path, arguments: list[str], said: str, status: int
) -> None:
    process = lab("--folder", str(tmp_path), "--port", str(estate.tenant.port), *arguments)
    text, _ = process.communicate(timeout=20)
    assert said in text
    assert "Traceback" not in text
    assert process.returncode == status
