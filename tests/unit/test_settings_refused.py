"""Every mistake in a stack file is refused with its place and what to do; all at once, no secret shown."""

import ast
import socket
from pathlib import Path

import pytest

from components.settings import Settings
from tests.unit.settings_mistakes import FIELDS, MX, Place
from tests.unit.settings_samples import ENVIRONMENT, PROJECT, Values, refusal, sample, spoiled


@pytest.mark.parametrize(("place", "value", "says"), FIELDS, ids=lambda part: str(part)[:60])
def test_a_mistake_is_refused_with_its_place(place: Place, value: object, says: str) -> None:
    lines = refusal(spoiled({place: value}))

    assert [line for line in lines if says in line], lines


@pytest.mark.parametrize("name", ["kind", "mode", "lockdown"])
def test_what_is_built_of_it_passes(name: str) -> None:
    default = Settings.model_fields[name].default

    assert getattr(Settings.from_config(spoiled({(name,): default}), ENVIRONMENT), name) == default


def test_all_mistakes_are_reported_at_once_each_once() -> None:
    wrong: dict[Place, object] = {
        place: value for place, value, _ in FIELDS if place[0] in ("names", "inbound") and len(place) > 1
    }
    lines = refusal(spoiled({**wrong, ("domains",): {}, ("mode",): "watch", ("outbond",): 1}))

    starts = {line.split()[0] for line in lines}
    assert {
        "names.filter",
        "names.senderGroup",
        "inbound.throttle",
        "domains",
        "mode",
        "outbond",
    } <= starts
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("key", ["customer", "tenant", "gateway", "domains"])
def test_a_missing_section_is_named(key: str) -> None:
    values = sample()
    del values[key]

    assert f"{key} is missing: add it" in refusal(values)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (["OUTBOUND_SECRET"], "outbound.secret is missing: set OUTBOUND_SECRET in the environment"),
        (
            ["GATEWAY_PASSWORD", "GATEWAY_KEY_FILE"],
            "credentials hold neither password nor key for the gateway",
        ),
        (
            ["GATEWAY_KEY_FILE"],
            "gateway.jumpHost takes public keys only, and there is none: set GATEWAY_KEY_FILE",
        ),
        (["AZURE_CLIENT_SECRET"], "credentials hold neither secret nor certificate for the tenant"),
    ],
)
def test_a_credential_that_is_nowhere_is_missed(variables: list[str], says: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key not in variables}

    assert [line for line in refusal(sample(), environment) if line.startswith(says)]


def test_updates_of_dns_want_their_key() -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "DNS_TSIG_SECRET"}

    Settings.from_config(sample("bce-demo-lab"), environment)  # no MX is ours: nothing is updated
    moved = spoiled({("domains", "bce-demo.com", "mx"): "microsoft"}, "bce-demo-lab")
    [line] = refusal(moved, environment)
    assert line.startswith("dns.server takes only signed updates: set DNS_TSIG_SECRET")


def test_smart_hosts_want_the_secret_even_while_outbound_is_none() -> None:
    values = spoiled({("outbound", "state"): "none"})

    assert Settings.from_config(values, ENVIRONMENT).outbound.state == "none"
    [line] = refusal(values, {**ENVIRONMENT, "OUTBOUND_SECRET": ""})
    assert line.startswith("outbound.secret is missing")


BAD_SECRETS = [
    "mysecret^key$",
    "my|secretkey",
    "my'secret'key",
    'my"secretkey',
    "mysecret key",
    "mysecretkey\n",
    "müsecretkey",
    "k3y7",
    "k" * 129,
    "(mysecretkey)",
    "mysecret\\key",
]


@pytest.mark.parametrize("bad", BAD_SECRETS, ids=repr)
def test_a_secret_is_letters_and_digits_and_is_never_shown(bad: str) -> None:
    [line] = refusal(sample(), {**ENVIRONMENT, "OUTBOUND_SECRET": bad})

    assert line.startswith("outbound.secret (from OUTBOUND_SECRET) has ")
    assert bad not in line
    [line] = refusal(spoiled({("outbound", "previousSecrets"): [bad]}))
    assert line.startswith("outbound.previousSecrets[0] has ")
    assert bad not in line


def test_a_secret_in_the_wrong_place_is_not_shown() -> None:
    hidden = "SomethingVerySecret42"
    values: Values = spoiled(
        {
            ("outbound",): {hidden: hidden, "state": hidden, "smartHosts": [hidden], "ciphers": hidden},
            ("names",): {"filter": f"{hidden}!", "senderGroup": f"^{hidden}$"},
            ("domains",): {f"{hidden}_.example": {"microsoftMx": hidden}},
            ("takeOver",): [hidden],
            (hidden,): hidden,
        }
    )
    text = "\n".join(refusal(values, {**ENVIRONMENT, "OUTBOUND_SECRET": hidden}))

    assert "outbound.state is none of its words" in text
    assert "takeOver[0] holds the header's secret: take it out" in text
    assert hidden.lower() not in text.lower()


@pytest.mark.parametrize(
    "place",
    [("customer", "name"), ("names", "filter"), ("domains", "mysecretkey.example"), ("change", "ticket")],
)
def test_a_secret_that_is_something_else_as_well_is_no_secret(place: Place) -> None:
    lines = refusal(spoiled({place: MX if place[0] == "domains" else "MySecretKey"}))

    assert [line for line in lines if "holds the header's secret" in line]


def test_a_line_is_one_line_whatever_the_key() -> None:
    lines = refusal(spoiled({("gate\x1b[31mway\nlockdown is fine",): 1, ("x" * 500,): 1, ("\ud800",): 1}))

    assert all(line.isprintable() and len(line) < 400 for line in lines)
    assert "\n".join(lines).encode("utf-8")


def test_no_connection_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert Settings.from_config(sample(), ENVIRONMENT).kind == "tenant"
    assert refusal(spoiled({("kind",): 1}))


def test_layers_only_look_down() -> None:
    """What `components/` may know of, `dynamic_providers/` may not know of them."""
    for file in (PROJECT / "dynamic_providers").rglob("*.py"):
        assert "components" not in _imported(file), file


def _imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    return {module.partition(".")[0] for module in modules}
