"""`python -m lab`: start the practice estate and say how to use it by hand."""

from __future__ import annotations

import shlex
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lab.estate import TENANT_PORT, Estate
from lab.gateway.profile import load_profile, profile_names
from lab.internet.practice import IMAP_HOST, NAME_SERVER_ADDRESS, PROBE_MAILBOX, PROBE_PASSWORD
from lab.journal import Journal
from lab.tenant.practice import EXCHANGE_HOSTS, LOGIN_HOSTS
from lab.tenant.web import PortTaken

FIRST_PORT = 40022
ENVIRONMENT = "environment"
"""A file in the lab's folder: the variables of a run against it, for a shell."""
_MX_TTL = 3
ANCHOR = "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"


def main(
    profile: Annotated[str, typer.Option(help="AsyncOS release to imitate.")] = "new",
    folder: Annotated[Path, typer.Option(help="Where keys, certificates and what a shell needs go.")] = Path(
        ".lab"
    ),
    journal: Annotated[Path | None, typer.Option(help="Write all events here, a JSON line each.")] = None,
    port: Annotated[int, typer.Option(help="First local port; 0 takes free ones.")] = FIRST_PORT,
) -> None:
    """Start the practice gateway and tenant on this machine and keep them until Ctrl-C."""
    out = Console(highlight=False, soft_wrap=True)
    try:
        with closing(Journal(journal)) as events:
            _run(Estate(folder, profile, journal=events, ports=_ports(profile, port)), out)
    except LookupError:
        out.print(f"[red]no release profile «{profile}»[/]; there are: {', '.join(profile_names())}")
        raise typer.Exit(2) from None
    except PortTaken as taken:
        out.print(f"[red]{taken}[/] (--port 0 takes free ones)")
        raise typer.Exit(1) from None


def _run(estate: Estate, out: Console) -> None:
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: done.set())
    with estate:
        _forget_soon(estate)
        (estate.folder / ENVIRONMENT).write_text("\n".join(_exports(estate)) + "\n", encoding="utf-8")
        for heading, lines in guidance(estate):
            out.print(f"\n[bold]{heading}[/]")
            for line in lines:
                out.print(f"  {line}", markup=False)
        out.print("\n[green]The lab is running.[/] Ctrl-C stops it; its state lives only as long as it runs.")
        done.wait()
    out.print("stopped")


def _forget_soon(estate: Estate) -> None:
    """Resolvers forget the domains' MX in seconds, so that who moves one need not wait for minutes."""
    zones = estate.network.zones
    for domain in estate.tenant.organization.accepted_domains:
        if (there := zones.get(domain, "MX")) is not None:
            zones.set(domain, "MX", *there.values, ttl=_MX_TTL)


def _exports(estate: Estate) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in estate.environment.items()]


def guidance(estate: Estate) -> list[tuple[str, list[str]]]:
    """What to type, by heading."""
    return [
        ("Gateway, by hand", _ssh(estate)),
        ("Tenant, by hand", _curl(estate)),
        ("The internet, by hand", _internet(estate)),
        (f"For pulumi and fleet: . {estate.folder / ENVIRONMENT}", _exports(estate)),
        ("Certificate authority", [f"{estate.ca_file}   (the stack's endpoints.caBundle)"]),
    ]


def _ports(profile: str, first: int) -> dict[str, int]:
    """Members, jump host and tenant, one after the other."""
    if first == 0:
        return {}
    release = load_profile(profile)
    jump = release.data["estate"].get("jump")
    names = [*release.hosts, *([jump] if jump else []), TENANT_PORT]
    return {name: first + place for place, name in enumerate(names)}


def _ssh(estate: Estate) -> list[str]:
    gateway, known = estate.gateway, shlex.quote(str(estate.known_hosts))
    lines: list[str] = []
    for member in gateway.members:
        options = f"-o UserKnownHostsFile={known} -o HostKeyAlias={member.host}"
        lines.append(f"ssh {options} -p {member.local_port} {gateway.user}@127.0.0.1")
        lines.append(f"    {member.host}, host key {member.host_key}")
    lines.append(f"    password {gateway.password}")
    jump = gateway.jump
    if jump is not None:
        key = shlex.quote(str(jump.private_key_path))
        options = f"-o UserKnownHostsFile={known} -o HostKeyAlias={jump.host} -i {key} -p {jump.local_port}"
        through = f"ssh {options} -W %h:22 {jump.user}@127.0.0.1"
        host = gateway.members[0].host
        lines.append("through the jump host:")
        lines.append(f"ssh -o UserKnownHostsFile={known} -o ProxyCommand='{through}' {gateway.user}@{host}")
        lines.append(f"    {jump.host}, host key {jump.host_key}, user {jump.user}, key {key}")
    return lines


def _curl(estate: Estate) -> list[str]:
    tenant = estate.tenant
    common = f"curl --silent --cacert {shlex.quote(str(tenant.ca_file))}"
    login, exchange = LOGIN_HOSTS[0], EXCHANGE_HOSTS[0]
    fields = [
        "grant_type=client_credentials",
        f"client_id={tenant.client_id}",
        f"client_secret={tenant.client_secret}",
        f"scope=https://{exchange}/.default",
    ]
    headers = [
        '"Authorization: Bearer $TOKEN"',
        "'Content-Type: application/json; charset=utf-8'",
        f"'X-AnchorMailbox: {ANCHOR}@{tenant.tenant_id}'",
    ]
    token = [common, *(f"--data-urlencode {shlex.quote(field)}" for field in fields)]
    token.append(f"{_to(login, tenant.port)}/{tenant.tenant_id}/oauth2/v2.0/token")
    call = [common, *(f"-H {header}" for header in headers)]
    call.append("""-d '{"CmdletInput":{"CmdletName":"Get-TransportRule","Parameters":{}}}'""")
    call.append(f"{_to(exchange, tenant.port)}/adminapi/beta/{tenant.tenant_id}/InvokeCommand")
    read = """python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'"""
    return [
        f"TOKEN=$({' '.join(token)} | {read})",
        " ".join(call),
        f"    application {tenant.client_id}, secret {tenant.client_secret}, or {tenant.certificate_path}",
    ]


def _internet(estate: Estate) -> list[str]:
    """Names, the mailbox outside, and what the gateway tracked."""
    network = estate.network
    names, mailbox = network.local_port(NAME_SERVER_ADDRESS, 53), network.local_port(IMAP_HOST, 993)
    domain = estate.tenant.organization.accepted_domains[0]
    common = f"curl --silent --cacert {shlex.quote(str(estate.ca_file))}"
    imap = f"--connect-to {IMAP_HOST}:993:127.0.0.1:{mailbox} imaps://{IMAP_HOST}/INBOX"
    return [
        f"dig -p {names} @127.0.0.1 {domain} MX",
        f"{common} -u {PROBE_MAILBOX}:{PROBE_PASSWORD} {imap} -X 'SEARCH SUBJECT probe'",
        "    SMTP wants a PROXY header: python -m mail_check sends mail once the stack is up",
    ]


def _to(host: str, port: int) -> str:
    """A curl target that keeps the real name, so that TLS is verified by it."""
    return f"--connect-to {host}:443:127.0.0.1:{port} https://{host}"


if __name__ == "__main__":
    typer.run(main)
