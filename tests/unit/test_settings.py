"""What a stack file means, and how it is read."""

import base64
import hashlib
import json
from collections.abc import Iterator

import pulumi
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pulumi.runtime import config as runtime_config
from pydantic import ValidationError

from components.settings import Settings, SharedGatewaySettings, of_this_stack
from components.stack_config import read_config, secret_keys
from dynamic_providers.connections import GatewayConnection, JumpHost, Member, TenantConnection
from tests.unit.settings_samples import ENVIRONMENT, SECRET, STACKS, refusal, sample, spoiled


@pytest.mark.parametrize("name", STACKS)
def test_the_project_s_own_stack_files_are_right(name: str) -> None:
    settings = Settings.from_config(sample(name), ENVIRONMENT)

    assert settings.outbound.state == "all"
    assert settings.outbound.accepted_secrets() == (SECRET,)


def test_the_demo_s_stack_holds_the_guide_s_values() -> None:
    settings = Settings.from_config(sample("bce-demo-lab"), ENVIRONMENT)

    assert settings.names.model_dump(by_alias=True) == {
        "inboundConnector": "Inbound from Cisco CES",
        "outboundConnector": "Outbound to Cisco CES",
        "inboundRule": "Bypass spam filtering - inbound email from Cisco CES",
        "outboundRule": "Outbound to Cisco CES",
        "senderGroup": "RELAY_O365",
        "mailFlowPolicy": "RELAYED",
        "filter": "office365_outbound",
    }
    assert settings.inbound.throttle is not None
    assert (settings.inbound.throttle.connections, settings.inbound.throttle.messages_per_connection) == (
        10,
        20,
    )
    assert list(settings.domains) == ["bce-demo.com"]
    assert settings.sender_addresses == ("192.0.2.105", "198.51.100.186")


def _practice_fingerprint(host: str) -> str:
    """The practice estate's host keys are derived from their hosts' names, so that stack files stay right."""
    seed = hashlib.sha256(f"m365-secure-email lab {host}".encode()).digest()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", public))
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@pytest.mark.parametrize("name", STACKS)
def test_pinned_host_keys_are_the_practice_estate_s(name: str) -> None:
    gateway = Settings.from_config(sample(name), ENVIRONMENT).gateway
    hosts: list[Member | JumpHost] = [*gateway.members]
    hosts += [gateway.jump_host] if gateway.jump_host else []

    assert {one.host: one.host_key for one in hosts} == {
        one.host: _practice_fingerprint(one.host) for one in hosts
    }


def test_addresses_default_to_data_1_and_data_2_of_all_members() -> None:
    settings = Settings.from_config(sample(), ENVIRONMENT)

    assert settings.sender_addresses == ("192.0.2.10", "198.51.100.10", "192.0.2.11", "198.51.100.11")


def test_addresses_can_be_given_instead() -> None:
    values = spoiled({("inbound", "senderAddresses"): ["203.0.113.0/24", "198.51.100.7/32"]})

    assert Settings.from_config(values, ENVIRONMENT).sender_addresses == ("203.0.113.0/24", "198.51.100.7")


def test_one_interface_is_one_address() -> None:
    values = spoiled({("gateway", "members", 0, "data2"): "192.0.2.105"}, "bce-demo-lab")

    assert Settings.from_config(values, ENVIRONMENT).sender_addresses == ("192.0.2.105",)


def test_subdomains_get_an_entry_of_their_own() -> None:
    settings = Settings.from_config(sample(), ENVIRONMENT)

    assert list(settings.table_entries) == [
        "contoso.example",
        "shop.contoso.example",
        ".shop.contoso.example",
        "contoso-mail.example",
    ]


@pytest.mark.parametrize("written", ["BÜCHER.Example", "bücher.example.", "xn--bcher-kva.EXAMPLE"])
def test_a_domain_has_one_form(written: str) -> None:
    values = spoiled({("domains",): {written: {"microsoftMx": "Buecher-Example.MX.Microsoft."}}})
    domains = Settings.from_config(values, ENVIRONMENT).domains

    assert list(domains) == ["xn--bcher-kva.example"]
    assert domains["xn--bcher-kva.example"].microsoft_mx == "buecher-example.mx.microsoft"


def test_throttle_none_is_no_throttle() -> None:
    values = spoiled({("inbound", "throttle"): "none"})

    assert Settings.from_config(values, ENVIRONMENT).inbound.throttle is None


def test_outbound_can_be_left_out() -> None:
    values = sample()
    del values["outbound"]
    settings = Settings.from_config(values, {**ENVIRONMENT, "OUTBOUND_SECRET": ""})

    assert settings.outbound.state == "none"
    assert settings.outbound.accepted_secrets() == ()


def test_taking_over_is_all_or_by_entry() -> None:
    values = spoiled(
        {("takeOver",): ["filter", "smtpRoutes.Contoso.example", "smtpRoutes..shop.contoso.example"]}
    )
    settings = Settings.from_config(values, ENVIRONMENT)

    assert settings.may_take_over("filter") == ["*"]
    assert settings.may_take_over("smtpRoutes") == [".shop.contoso.example", "contoso.example"]
    assert settings.may_take_over("recipientAccess") == []


def test_providers_get_connections_that_they_can_read() -> None:
    settings = Settings.from_config(sample(), ENVIRONMENT)
    gateway = GatewayConnection.model_validate_json(
        settings.gateway.connection().model_dump_json(by_alias=True)
    )
    tenant = TenantConnection.model_validate_json(settings.tenant.model_dump_json(by_alias=True))

    assert [member.host for member in gateway.members] == [
        "esa1.hc1234-56.c3s2.iphmx.com",
        "esa2.hc1234-56.c3s2.iphmx.com",
    ]
    assert gateway.jump_host is not None
    assert gateway.jump_host.user == "dh-user"
    assert tenant.initial_domain == "contoso.onmicrosoft.com"


def test_the_environment_s_secret_wins() -> None:
    values = spoiled({("outbound", "secret"): "fromthestackfile"})

    assert Settings.from_config(values, ENVIRONMENT).outbound.accepted_secrets() == (SECRET,)
    without = {key: value for key, value in ENVIRONMENT.items() if key != "OUTBOUND_SECRET"}
    assert Settings.from_config(values, without).outbound.accepted_secrets() == ("fromthestackfile",)


def test_the_environment_may_name_the_tenant_but_not_another_one() -> None:
    values, other = sample(), "99999999-2222-4333-8444-555555555555"
    tenant = values["tenant"].pop("id")

    assert Settings.from_config(values, {**ENVIRONMENT, "AZURE_TENANT_ID": tenant}).tenant.id == tenant
    assert (
        Settings.from_config(sample(), {**ENVIRONMENT, "AZURE_TENANT_ID": tenant.upper()}).tenant.id == tenant
    )
    [line] = refusal(sample(), {**ENVIRONMENT, "AZURE_TENANT_ID": other})
    assert line.startswith("tenant.id is another tenant than AZURE_TENANT_ID")


def test_credentials_of_the_stack_file_do_for_those_of_the_environment() -> None:
    given = {
        "gatewayPassword": "from-the-stack",
        "gatewayKeyFile": "key",
        "azureClientSecret": "from~the~stack",
    }
    settings = Settings.from_config(spoiled({("credentials",): given}), {"OUTBOUND_SECRET": SECRET})

    assert settings.credentials.in_clear() == given


def test_nothing_that_is_printed_of_the_settings_holds_a_secret() -> None:
    given = {"gatewayPassword": "from-the-stack", "azureClientSecret": "from~the~stack"}
    values = spoiled({("credentials",): given, ("outbound", "previousSecrets"): ["anoldersecret"]})
    settings = Settings.from_config(values, ENVIRONMENT)

    shown = f"{settings} {settings!r} {settings.model_dump_json()} {settings.model_dump()}"
    assert "dh-user" in shown
    assert not [secret for secret in (SECRET, "anoldersecret", *given.values()) if secret in shown]


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = Settings.from_config(sample(), ENVIRONMENT)

    with pytest.raises(ValidationError):
        settings.outbound.state = "none"  # type: ignore[misc] # the very thing that must not work


@pytest.fixture
def engine_config(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What the language host sets, put back afterwards."""
    before, secrets = dict(runtime_config.CONFIG.get()), set(runtime_config._SECRET_KEYS.get())
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_SECRET_KEYS", raising=False)
    runtime_config.set_all_config({}, [])
    yield monkeypatch
    runtime_config.set_all_config(before, list(secrets))


def _as_the_engine_says_it(values: dict[str, object]) -> dict[str, str]:
    return {
        f"m365-secure-email:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }


def test_all_keys_are_read_from_what_the_language_host_sets(engine_config: pytest.MonkeyPatch) -> None:
    runtime_config.set_all_config({**_as_the_engine_says_it(sample()), "aws:region": "eu-central-1"}, [])

    assert read_config() == sample()


def test_all_keys_are_read_from_the_environment_too(engine_config: pytest.MonkeyPatch) -> None:
    config = _as_the_engine_says_it({**sample(), "nonsense": "1"})
    engine_config.setenv("PULUMI_CONFIG", json.dumps(config))
    engine_config.setenv("PULUMI_CONFIG_SECRET_KEYS", '["m365-secure-email:outbound","aws:token"]')

    assert read_config() == {**sample(), "nonsense": "1"}
    assert secret_keys() == {"outbound"}


def test_a_slip_in_the_namespace_is_seen(engine_config: pytest.MonkeyPatch) -> None:
    runtime_config.set_all_config(
        _as_the_engine_says_it(sample()) | {"m365-secure-mail:lockdown": "open"}, []
    )

    [line] = refusal(read_config())
    assert line == (
        "m365-secure-mail:lockdown is of another project, and read by nobody:"
        " did you mean m365-secure-email:lockdown?"
    )


def test_the_program_ends_with_the_list_of_mistakes(engine_config: pytest.MonkeyPatch) -> None:
    runtime_config.set_all_config(_as_the_engine_says_it(spoiled({("domains",): {}, ("kind",): "none"})), [])
    for variable, value in ENVIRONMENT.items():
        engine_config.setenv(variable, value)
    engine_config.delenv("AZURE_TENANT_ID", raising=False)

    with pytest.raises(pulumi.RunError) as caught:
        of_this_stack()
    heading, *lines = str(caught.value).splitlines()
    assert heading.endswith("2 mistakes; nothing was connected to, nothing was changed:")
    assert [line.split()[0] for line in lines] == ["kind", "domains"]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_secret_in_clear_in_the_stack_file_is_refused(engine_config: pytest.MonkeyPatch) -> None:
    config = _as_the_engine_says_it(spoiled({("outbound", "secret"): "readbyeveryone"}))
    for variable, value in ENVIRONMENT.items():
        engine_config.setenv(variable, value)
    engine_config.delenv("AZURE_TENANT_ID", raising=False)

    runtime_config.set_all_config(config, ["m365-secure-email:outbound"])
    settings = of_this_stack()
    assert isinstance(settings, Settings)
    assert settings.outbound.state == "all"
    runtime_config.set_all_config(config, [])
    with pytest.raises(pulumi.RunError, match=r"outbound.secret stands in the stack file in clear") as caught:
        of_this_stack()
    assert "readbyeveryone" not in str(caught.value)


GATEWAY_STACK = ("customer", "change", "gateway", "takeOver")


def test_the_stack_of_a_shared_gateway_knows_no_tenant(engine_config: pytest.MonkeyPatch) -> None:
    shared = {**{key: sample()[key] for key in GATEWAY_STACK}, "kind": "gateway"}
    for variable in ("GATEWAY_PASSWORD", "GATEWAY_KEY_FILE", "OUTBOUND_SECRET"):
        engine_config.setenv(variable, ENVIRONMENT[variable])
    runtime_config.set_all_config(_as_the_engine_says_it(shared), [])

    settings = of_this_stack()
    assert isinstance(settings, SharedGatewaySettings)
    assert settings.outbound.ciphers == "check"

    runtime_config.set_all_config(_as_the_engine_says_it({**shared, "domains": {}}), [])
    with pytest.raises(pulumi.RunError, match="domains is no setting"):
        of_this_stack()


def test_an_acknowledgement_counts_until_its_day() -> None:
    def settings(until: str) -> Settings:
        return Settings.from_config(
            spoiled({("acknowledge",): [{"what": "SPF contoso.example", "until": until}]}), ENVIRONMENT
        )

    assert settings("9999-12-31").acknowledged("spf contoso.example")
    assert not settings("9999-12-31").acknowledged("spf shop.contoso.example")
    assert not settings("2020-01-01").acknowledged("spf contoso.example")
