"""`fleet onboard` on an estate: what it looks up, asks for and trusts, and that it may be run again."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers.exchange.transport import Https
from fleet.onboard import command
from lab.estate import Estate
from lab.gateway.keys import fingerprint
from tests.fleet.onboard_kit import LETTER, STACK, Desk, desk
from tests.protocol.estate_kit import put_back, running

ESA = "esa1.bce-demo.example"
MX = "bce-demo-com.mail.protection.outlook.com"


@pytest.fixture(scope="module")
def whole() -> Iterator[Estate]:
    with running("new") as estate:
        yield estate


@pytest.fixture
def at_desk(
    whole: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    with put_back(whole) as estate, desk(estate, tmp_path, monkeypatch, capsys, ["OUTBOUND_SECRET"]) as one:
        yield one


def moved_away(estate: Estate) -> None:
    """The domain's MX leads to the gateway already."""
    estate.internet.zones.set("bce-demo.com", "MX", "10 mx1.bce-demo.example")
    for resolver in estate.internet.resolvers.values():
        resolver.resolver.forget()


def test_the_letter_and_three_answers_make_a_stack_that_is_right(at_desk: Desk) -> None:
    mark, before = at_desk.estate.journal.mark(), at_desk.estate.dump()
    assert at_desk.onboard() == 0, at_desk.err
    settings = at_desk.settings()
    [member] = settings.gateway.members
    assert (member.host, member.data1, member.data2) == (ESA, "192.0.2.105", "198.51.100.186")
    assert member.host_key == at_desk.host_key
    assert settings.tenant.id == at_desk.estate.tenant.tenant_id
    assert (settings.gateway.inbound_listener, settings.gateway.outbound_listener) == (
        "IncomingMail",
        "OutgoingMail",
    )
    assert {name: one.microsoft_mx for name, one in settings.domains.items()} == {"bce-demo.com": MX}
    assert (settings.outbound.state, settings.outbound.smart_hosts) == ("none", ("198.51.100.186",))
    assert settings.inbound.mx_hosts is not None
    assert at_desk.estate.dump() == before
    assert at_desk.estate.journal.count(kind="commit", since=mark) == 0
    assert at_desk.asked()[0].startswith(f"stack init {STACK} --no-select --non-interactive")
    assert f"next: fleet doctor {STACK}" in at_desk.out


def test_the_secret_goes_over_stdin_only_and_is_shown_nowhere(at_desk: Desk) -> None:
    assert at_desk.onboard() == 0, at_desk.err
    assert len(at_desk.secret) == 40
    assert at_desk.settings().outbound.accepted_secrets() == (at_desk.secret,)
    shown = [at_desk.out, at_desk.err, *at_desk.asked(), at_desk.path.read_text(encoding="utf-8")]
    key = (at_desk.folder / "engine" / f"{STACK}.key").read_text(encoding="utf-8")
    assert len(key) == 64
    assert all(one not in text for text in shown for one in (at_desk.secret, key))


def test_the_environments_secret_is_the_one_that_is_kept(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCE_DEMO_LAB__OUTBOUND_SECRET", "thisstacksownkey1")
    assert at_desk.onboard() == 0, at_desk.err
    assert at_desk.secret == "thisstacksownkey1"
    assert at_desk.secret not in at_desk.out + at_desk.err


def test_a_second_run_changes_nothing_and_says_so(at_desk: Desk) -> None:
    assert at_desk.onboard() == 0, at_desk.err
    text, secret = at_desk.path.read_bytes(), at_desk.secret
    assert at_desk.onboard() == 0, at_desk.err
    assert f"Pulumi.{STACK}.yaml is there, and is right" in at_desk.out
    assert "was initialised already" in at_desk.out
    assert (at_desk.path.read_bytes(), at_desk.secret) == (text, secret)


def test_a_file_that_differs_stays_and_is_told_until_it_is_forced(at_desk: Desk) -> None:
    assert at_desk.onboard() == 0, at_desk.err
    text, asked = at_desk.path.read_bytes(), at_desk.asked()
    assert at_desk.onboard("--outbound", "all") == 2
    assert at_desk.out.splitlines()[-2:] == [
        f"Pulumi.{STACK}.yaml is there and differs; it stays as it is (--force writes over it):",
        "  outbound.state: there none, would be all",
    ]
    assert (at_desk.path.read_bytes(), at_desk.asked()) == (text, asked)

    assert at_desk.onboard("--outbound", "all", "--force") == 0, at_desk.err
    settings = at_desk.settings()
    assert settings.outbound.state == "all"
    assert settings.outbound.accepted_secrets() == (at_desk.secret,)
    assert "encryptionsalt: " in at_desk.path.read_text(encoding="utf-8")


def test_a_run_that_was_cut_goes_on_where_it_stopped(at_desk: Desk) -> None:
    refusing = at_desk.folder / "engine" / "refusing"
    refusing.write_text("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE\n")
    assert at_desk.onboard() == 1
    assert "Set PULUMI_CONFIG_PASSPHRASE" in at_desk.err
    assert "Put that right, then run this again: it goes on where it stopped" in at_desk.err
    refusing.unlink()
    assert at_desk.onboard() == 0, at_desk.err
    assert "secret" in at_desk.values["outbound"]
    assert at_desk.settings().outbound.accepted_secrets() == (at_desk.secret,)


def test_a_secrets_provider_is_handed_on(at_desk: Desk) -> None:
    assert at_desk.onboard("--secrets-provider", "awskms://alias/x?region=eu-central-1") == 0, at_desk.err
    assert "--secrets-provider awskms://alias/x?region=eu-central-1" in at_desk.asked()[0]


def test_a_stack_on_a_gateway_of_another_stack_is_told_to_share_it(at_desk: Desk) -> None:
    assert at_desk.onboard() == 0, at_desk.err
    assert "on the same gateway" not in at_desk.out
    assert at_desk.onboard(stack="other-lab") == 0, at_desk.err
    assert f"on the same gateway: {STACK}. Say --set gateway.shared=true" in at_desk.out
    assert at_desk.onboard("--set", "gateway.shared=true", stack="third-lab") == 0, at_desk.err
    assert "on the same gateway" not in at_desk.out
    text = (at_desk.path.parent / "Pulumi.third-lab.yaml").read_text(encoding="utf-8")
    assert "shared: true" in text
    assert "takeOver" not in text


def test_a_password_for_this_stack_alone_is_the_one_that_logs_in(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCE_DEMO_LAB__GATEWAY_PASSWORD", at_desk.estate.gateway.password)
    monkeypatch.setenv("GATEWAY_PASSWORD", "of other gateways")
    assert at_desk.onboard() == 0, at_desk.err
    assert "inbound listener: IncomingMail (the gateway)" in at_desk.out


# --- what is missing ----------------------------------------------------------------------------------------


def test_all_that_only_people_know_is_listed_at_once(at_desk: Desk) -> None:
    assert at_desk.run(ca=False) == 1
    lines = at_desk.err.splitlines()
    assert lines[0] == "error: 6 things are missing or not right; nothing was written:"
    options = [line.split(":")[0].strip() for line in lines[1:]]
    assert options == ["--customer", "--environment", "--tenant", "--client-id", "--domain", "--gateway"]
    assert not at_desk.path.exists()


def test_what_is_given_wrong_is_listed_beside_what_is_missing(at_desk: Desk) -> None:
    words = at_desk.usual(tenant="contoso.example", domain="not a domain", gateway="a=b=c", cloud="moon")
    assert at_desk.run(*words, "--set", "lockdown") == 1
    for said in (
        "--tenant «contoso.example» is not a tenant's initial domain",
        "--domain «not a domain» is not a domain",
        "--gateway «a=b=c» is not HOST, HOST:PORT or HOST=DATA1,DATA2",
        "--cloud «moon» is not where such a tenant is: write worldwide",
        "--set «lockdown» is not NAME=VALUE",
    ):
        assert said in at_desk.err


def test_all_that_cannot_be_looked_up_is_listed_at_once(at_desk: Desk) -> None:
    moved_away(at_desk.estate)
    words = at_desk.usual(letter="", domain="bce-demo.com", gateway=f"{ESA}=192.0.2.105,198.51.100.186")
    assert at_desk.run(*words) == 1
    lines = at_desk.err.splitlines()
    assert lines[0] == "error: 2 things are missing or not right; nothing was written:"
    assert lines[1].startswith(
        "  --microsoft-mx bce-demo.com=HOST: bce-demo.com: its own Microsoft MX, as the Microsoft 365 admin"
        " center shows it (its MX is mx1.bce-demo.example; Microsoft Graph: not allowed to look into the"
    )
    assert f"shows the host key {at_desk.host_key}" in lines[2]


def test_settings_that_cannot_be_right_are_refused_with_all_mistakes(at_desk: Desk) -> None:
    assert at_desk.onboard("--set", "kind=gateway") == 1
    assert "only tenants' stacks are written here. Docs/shared-gateway.md shows" in at_desk.err
    assert at_desk.onboard("--outbound", "some", "--set", "lockdown=shut") == 1
    for setting in ("outbound.state", "lockdown"):
        assert f"{setting} is none of its words" in at_desk.err
    assert not at_desk.path.exists()


# --- trust --------------------------------------------------------------------------------------------------


def test_a_host_key_that_is_only_shown_is_never_taken(at_desk: Desk) -> None:
    assert at_desk.onboard() == 0, at_desk.err
    at_desk.path.unlink()
    wrong = fingerprint(ESA, "somebody else")
    for given in (wrong, f"{ESA}={wrong}"):
        mark = at_desk.estate.journal.mark()
        assert at_desk.run(*at_desk.usual(letter="letter.txt", accept_host_key=given)) == 1
        assert at_desk.estate.journal.count(kind="login", since=mark) == 0
    assert not at_desk.path.exists()


def test_the_login_gets_no_credential_where_the_key_is_another_than_the_one_given(at_desk: Desk) -> None:
    wrong = fingerprint(ESA, "somebody else")
    (at_desk.folder / "letter.txt").write_text(LETTER, encoding="utf-8")
    assert at_desk.run(*at_desk.usual(letter="letter.txt", accept_host_key=f"{ESA}={wrong}")) == 1
    assert f"it shows ssh-ed25519 {at_desk.host_key}, expected {wrong}" in at_desk.err
    assert "--inbound-listener" in at_desk.err


def test_a_gateway_that_cannot_be_reached_is_told_about_instead_of_asked(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_PASSWORD", "another one")
    listeners = ("--inbound-listener", "InboundMail", "--outbound-listener", "OutboundMail")
    assert at_desk.onboard(*listeners) == 0, at_desk.err
    assert "the gateway was not looked at: esa1.bce-demo.example: user «admin» is refused" in at_desk.err
    assert at_desk.values["gateway"]["inboundListener"] == "InboundMail"


def test_a_listener_that_the_gateway_has_not_is_refused(at_desk: Desk) -> None:
    assert at_desk.onboard("--outbound-listener", "outgoingmail") == 1
    assert (
        "«outgoingmail» is no listener of the gateway; there are: IncomingMail (public), OutgoingMail"
        in at_desk.err
    )


# --- what is looked up --------------------------------------------------------------------------------------


def test_graph_is_asked_where_the_mx_leads_elsewhere_already(at_desk: Desk) -> None:
    moved_away(at_desk.estate)
    at_desk.estate.tenant.switches.graph_roles = ("Domain.Read.All",)
    assert at_desk.onboard() == 0, at_desk.err
    assert at_desk.values["domains"] == {"bce-demo.com": {"microsoftMx": MX, "mx": "leave"}}
    assert f"Microsoft MX of bce-demo.com: {MX} (Microsoft Graph)" in at_desk.out


def test_without_credentials_graph_is_not_asked_and_says_so(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_away(at_desk.estate)
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    assert at_desk.onboard() == 1
    assert "Microsoft Graph was not asked, since there is nothing to log in with" in at_desk.err
    named = ("--microsoft-mx", "bce-demo.com=Contoso-Com.mail.protection.outlook.com.")
    assert at_desk.onboard(*named) == 0, at_desk.err
    assert (
        at_desk.values["domains"]["bce-demo.com"]["microsoftMx"] == "contoso-com.mail.protection.outlook.com"
    )
    assert "set in the environment: AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH" in at_desk.out


def test_a_tenant_that_there_is_not(at_desk: Desk) -> None:
    assert at_desk.onboard(tenant="nobody.onmicrosoft.com") == 1
    assert "the login knows no tenant nobody.onmicrosoft.com (it answers 400)" in at_desk.err
    assert "--tenant-id: the tenant's directory id" in at_desk.err


def test_an_issuer_that_names_no_tenant_is_none(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Https.get

    def get(self: Https, url: str, **kwargs: object) -> object:
        answer = asked(self, url, **kwargs)
        answer._content = b'{"issuer": "https://login.example/{tenantid}/v2.0"}'
        return answer

    monkeypatch.setattr(Https, "get", get)
    assert at_desk.onboard() == 1
    assert "the login knows no tenant bcedemo.onmicrosoft.com (it answers 200)" in at_desk.err


# --- people -------------------------------------------------------------------------------------------------


def test_somebody_at_the_terminal_is_asked_for_what_is_missing(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_away(at_desk.estate)
    answers = iter(["bce-demo.com,", "192.0.2.105", "198.51.100.x", "198.51.100.186", MX, "yes"])
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(command, "_asking", lambda _given: ask)
    assert at_desk.run(*at_desk.usual(gateway=ESA)) == 0, at_desk.err
    assert next(answers, None) is None
    assert at_desk.values["gateway"]["members"][0]["data2"] == "198.51.100.186"
    assert f"{ESA} shows the host key {at_desk.host_key}" in at_desk.err
    assert asked[-1].startswith("Have you compared it with what the host's owner says")


def test_who_does_not_say_yes_has_not_agreed(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_asking", lambda _given: lambda _question: "y")
    assert at_desk.onboard(accept_host_key="") == 1
    assert "then accept it" in at_desk.err


def test_a_letter_from_stdin(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LETTER.encode())))
    assert at_desk.run(*at_desk.usual(letter="-", accept_host_key=at_desk.host_key)) == 0, at_desk.err
    assert list(at_desk.values["domains"]) == ["bce-demo.com"]


def test_what_the_letter_does_not_say_is_told(at_desk: Desk) -> None:
    (at_desk.folder / "letter.txt").write_text(LETTER + "Also: 203.0.113.7\n", encoding="utf-8")
    assert at_desk.run(*at_desk.usual(letter="letter.txt", accept_host_key=at_desk.host_key)) == 0, (
        at_desk.err
    )
    assert (
        "the letter: it does not say of which interface of which gateway these addresses are: 203.0.113.7"
        in at_desk.err
    )


# --- Cisco's cloud ------------------------------------------------------------------------------------------


def test_cloud_gateways_behind_their_jump_host_are_found_to_be_clustered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = [f"esa{number}.hc1234-56.c3s2.iphmx.com" for number in (1, 2)]
    jump = "f10-ssh.c3s2.iphmx.com"
    letter = "\n".join(
        f"Gateway {number}: {host} Data 1: 192.0.2.{9 + number} Data 2: 198.51.100.{9 + number}"
        for number, host in enumerate(hosts, 1)
    )
    with running("cluster") as estate, desk(estate, tmp_path, monkeypatch, capsys) as one:
        (tmp_path / "letter.txt").write_text(f"SSH: {jump}\n{letter}\n", encoding="utf-8")
        usual = [
            *one.usual(letter="letter.txt", customer="Contoso AG", environment="prod"),
            "--domain",
            "contoso.example",
        ]
        assert one.run(*usual) == 1
        assert "the gateways' own come after the jump host's" in one.err
        keys = [word for host in (jump, *hosts) for word in ("--accept-host-key", fingerprint(host))]
        assert one.run(*usual, *keys, "--no-cluster") == 0, one.err
        assert "the gateways are clustered (hc1234-56)" in one.out
    [path] = (tmp_path / "stacks").glob("*.yaml")
    assert path.name == "Pulumi.contoso-ag-prod.yaml"
    text = path.read_text(encoding="utf-8")
    assert f"  jumpHost:\n      host: {jump}\n" in text
    assert "cluster: true" in text
