"""What goes wrong, how it comes about in the lab, and the whole line that an operator is to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from lab.estate import Estate
from lab.journal import Event
from tests.engine.canary_estate import WRONG

MEMBER = ("gateway", "members", 0)
ESA = r"esa1\.bce-demo\.example"
JUMP = r"jump host f10-ssh\.c3s2\.iphmx\.com"
TENANT = r"bcedemo\.onmicrosoft\.com"
LOGIN = rf"login of {TENANT}: .*"
APP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
FINGERPRINT = r"SHA256:[\w+/]{43}"

Changes = Mapping[tuple[str | int, ...], object]


def nothing(_estate: Estate) -> None:
    """The weather is in the settings."""


@dataclass(frozen=True)
class Case:
    """One mishap: how it comes about, and the whole line that it must give, but for the project's name."""

    name: str
    says: str
    weather: Callable[[Estate], None] = nothing
    verb: str = "preview"
    profile: str = "new"
    changes: Changes = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)  # None: not set; {folder}: the lab's


def switch(estate: Estate, **values: object) -> None:
    for name, value in values.items():
        setattr(
            estate.tenant.switches if hasattr(estate.tenant.switches, name) else estate.gateway, name, value
        )


def jump(estate: Estate, **values: object) -> None:
    assert estate.gateway.jump is not None
    for name, value in values.items():
        setattr(estate.gateway.jump, name, value)


def fault(estate: Estate, cmdlet: str, error: str, retry_after: int = 1) -> None:
    estate.tenant.faults.add(cmdlet, error, times=99, retry_after=retry_after)


def someone_else_at_work(estate: Estate) -> None:
    """Changes that are not ours are pending in the session that we are given."""

    def leave(_event: Event) -> None:
        (session,) = estate.gateway.sessions
        session.write("smtproutes", "theirs.example", "added", lambda _tables: None)

    estate.journal.when(is_show_changes, leave)


def is_show_changes(event: Event) -> bool:
    return event.kind == "command" and event.detail["line"] == "showchanges"


OTHER_KEY = {"GATEWAY_PASSWORD": None, "GATEWAY_KEY_FILE": "{folder}/other-key"}
STRANGER = {
    "AZURE_CLIENT_SECRET": None,
    "AZURE_CLIENT_CERTIFICATE_PATH": "{folder}/unregistered-certificate.pem",
}
CASES = [
    # --- the way to the gateway
    Case(
        "changed host key",
        rf"{ESA}: its host key is not the expected one: it shows ssh-ed25519 {FINGERPRINT}, expected "
        rf"{FINGERPRINT}\. Nothing was sent to it\. Ask its owner whether the key was changed; only then put "
        r"the new fingerprint into the setting gateway\.members\.hostKey",
        partial(switch, host_key_seed="someone in between"),
    ),
    Case(
        "wrong password",
        rf"{ESA}: user «admin» is refused \(tried: password\)\. Check the member's user and GATEWAY_PASSWORD "
        r"or GATEWAY_KEY_FILE; the account may also be locked",
        environment={"GATEWAY_PASSWORD": WRONG["wrong gateway password"]},
    ),
    Case(
        "wrong key",
        rf"{ESA}: user «admin» is refused \(tried: key\)\. Check .*GATEWAY_KEY_FILE.*",
        environment=OTHER_KEY,
    ),
    Case(
        "no key file",
        rf"{ESA}: the key in GATEWAY_KEY_FILE cannot be used: No such file or directory\. It must be .*",
        environment={"GATEWAY_PASSWORD": None, "GATEWAY_KEY_FILE": "{folder}/no-such-key"},
    ),
    Case(
        "name unknown",
        r"esa9\.bce-demo\.example: no connection: the name is not known\. Check host and port, and .*",
        changes={(*MEMBER, "host"): "esa9.bce-demo.example"},
    ),
    Case(
        "closed port",
        r"127\.0\.0\.1:1: no connection: connection refused\. Check host and port, and .*",
        changes={(*MEMBER, "host"): "127.0.0.1", (*MEMBER, "port"): 1},
    ),
    Case(
        "hangs up",
        rf"{ESA}: something answers, but the SSH connection does not come about: it ended before it said "
        r"that it is SSH\. Check host and port; if they are right, try again later",
        partial(switch, refuse_connections=True),
    ),
    Case(
        "old algorithms",
        rf"{ESA}: no common algorithm .*ssh-rsa.*`sshconfig`.*",
        partial(switch, sha1_only=True),
    ),
    Case(
        "jump host does not know our key",
        rf"{JUMP}: user «dh-user» with this key is refused\. Check GATEWAY_KEY_FILE, and that Cisco has "
        "registered its public key for your allocation",
        profile="cluster",
        environment={"GATEWAY_KEY_FILE": "{folder}/other-key", "GATEWAY_KEY_PASSPHRASE": None},
    ),
    Case(
        "jump host does not lead on",
        rf"{JUMP}: it does not lead on to esa1\.hc1234-56\.c3s2\.iphmx\.com: not allowed .*\. Check the "
        "member's host and port, and that they belong to your allocation",
        partial(jump, refuses=True),
        profile="cluster",
    ),
    Case(
        "jump host hangs up",
        rf"{JUMP}: something answers, but the SSH connection does not come about: .*\. Check host and port; "
        "if they are right, try again later",
        partial(jump, refuses_connections=True),
        profile="cluster",
    ),
    Case(
        "changed host key of the jump host",
        rf"{JUMP}: its host key is not the expected one: it shows ssh-ed25519 {FINGERPRINT}, expected "
        rf"{FINGERPRINT}\. .* into the setting gateway\.jumpHost\.hostKey",
        partial(jump, host_key_seed="someone in between"),
        profile="cluster",
    ),
    # --- on the gateway
    Case(
        "listener missing",
        rf"{ESA}: there is no listener «outgoingmail» \(upper and lower case count\); there are: "
        r"IncomingMail, OutgoingMail\. Correct gateway\.inboundListener or gateway\.outboundListener",
        changes={("gateway", "outboundListener"): "outgoingmail"},
    ),
    Case(
        "policy missing",
        r"bce-demo: listener «OutgoingMail» has no mail flow policy «RELAYING»; it has: BLOCKED, RELAYED\. "
        r"Correct names\.mailFlowPolicy, or make the policy first",
        changes={("names", "mailFlowPolicy"): "RELAYING"},
    ),
    Case(
        "unknown question",
        rf"{ESA}: writing the .*: it asks what no answer is known for: «Select the telemetry class .*»\. "
        r"Nothing was changed; please report the question and the release \(`version`\)",
        verb="up",
        profile="strange",
    ),
    Case(
        "changes of someone else pending",
        rf"{ESA}: changes are pending that are not ours: «.*smtproutes: theirs\.example added»\. Have "
        r"whoever made them commit or clear them \(`commit`, `clear`\), then run it again",
        someone_else_at_work,
        verb="up",
    ),
    Case(
        "commit refused",
        rf"{ESA}: the commit was refused: «.*the disk is full\.»\. Our changes were taken back\. Look at "
        "what it says, then run it again",
        partial(switch, refuse_commit="the disk is full."),
        verb="up",
    ),
    # --- logging in to the tenant
    Case(
        "AADSTS7000215",
        rf"{LOGIN}client secret of the app registration {APP} is wrong \(AADSTS7000215\).*\. Give the "
        "secret's value, not its id, in AZURE_CLIENT_SECRET",
        environment={"AZURE_CLIENT_SECRET": WRONG["wrong client secret"]},
    ),
    Case(
        "AADSTS7000222",
        rf"{LOGIN}client secret .* has expired \(AADSTS7000222\).*\. Make a new one in Entra and put it into "
        "AZURE_CLIENT_SECRET",
        partial(switch, secret_expired=True),
    ),
    Case(
        "AADSTS700016",
        rf"{LOGIN}no app registration .* in this tenant \(AADSTS700016\).*\. Check the setting "
        r"tenant\.clientId and AZURE_CLIENT_ID, and that the app has consent in this tenant",
        environment={"AZURE_CLIENT_ID": "aaaaaaaa-bbbb-4ccc-8ddd-000000000000"},
    ),
    Case(
        "AADSTS90002",
        rf"{LOGIN}no tenant 11111111-.* \(AADSTS90002\)\. Check the settings tenant\.id and tenant\.cloud",
        changes={("tenant", "id"): "11111111-2222-4333-8444-000000000000"},
    ),
    Case(
        "AADSTS700027",
        rf"{LOGIN}certificate is not registered with the app registration {APP} \(AADSTS700027\).*\. Upload "
        r"it in Entra, or name the registered one in AZURE_CLIENT_CERTIFICATE_PATH",
        environment=STRANGER,
    ),
    # --- rights and weather in the tenant
    Case(
        "401, no app role",
        rf"{TENANT}, Get-\w+: not allowed \(401\): the app registration {APP} lacks the app role "
        r"Exchange\.ManageAsApp.*\. Give it that application permission of Office 365 Exchange Online, with "
        "admin consent",
        partial(switch, app_role=False),
    ),
    Case(
        "401, role there",
        rf"{TENANT}, Get-\w+: not allowed \(401\): a new token was refused too.*\. Check the app role .*",
        partial(fault, cmdlet="Get-*", error="unauthorized"),
    ),
    Case(
        "403, no directory role",
        rf"{TENANT}, Get-\w+: not allowed \(403\): the app role Exchange\.ManageAsApp is there, but the "
        rf"service principal of {APP} has no directory role that allows this cmdlet.*\. Make it Exchange "
        r"Administrator in Entra \(Global Reader is enough to preview\); that can take minutes to act",
        partial(switch, directory_role="none"),
    ),
    Case(
        "403, may only read",
        rf"{TENANT}, New-\w+: not allowed \(403\): .* no directory role that allows .*\. Make it .*",
        partial(switch, directory_role="reader"),
        verb="up",
    ),
    Case(
        "throttled for too long",
        rf"{TENANT}, Get-\w+: asked to wait: too many requests .*; given up after 1 attempt in 0 s, and the "
        r"server asks to wait 3600 s more\. Run it again later; what was done so far is kept",
        partial(fault, cmdlet="Get-*", error="throttled", retry_after=3600),
    ),
    Case(
        "login throttled for too long",
        rf"{LOGIN}asks to wait: too many requests; given up .*\. Run it again later; .*",
        partial(fault, cmdlet="token", error="throttled", retry_after=3600),
    ),
]
