"""The stack file that `fleet onboard` writes: read back as it was meant, whatever is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from components.settings import Settings, SettingsError
from components.stack_config import NAMESPACE
from dynamic_providers.refusal import REFUSED
from fleet.onboard import given as options
from fleet.onboard.compose import SecretGiven, checked, new_secret, with_settings
from fleet.onboard.stack_file import There, WrongFile, render, write
from tests.unit.settings_samples import SECRET, STACKS, sample

Values = dict[str, Any]


def read_back(text: str) -> Values:
    """The settings in a file's text, as YAML 1.1 has them."""
    config: Values = yaml.safe_load(text)["config"]
    return {key.removeprefix(f"{NAMESPACE}:"): value for key, value in config.items()}


@pytest.mark.parametrize("name", STACKS)
def test_every_stack_of_the_project_round_trips_through_the_settings(name: str) -> None:
    values = sample(name)
    text = render(values)
    assert read_back(text) == values
    again = checked(read_back(text), SECRET, {})
    assert again == checked(values, SECRET, {})
    assert text.startswith("# yaml-language-server: $schema=settings.schema.json\n")
    assert "    # hostKey: compared by whoever accepted it" in text


TRICKS = (
    "yes", "No", "ON", "null", "~", "true", "1e3", "0o17", "0x1F", "017", "1_000", "12:30:45", "2026-11-24",
    ".nan", "-.inf", "<<", "=", "- item", "? key", "key: value", "a #b", "#b", "&a", "*a", "!!python/none",
    "%TAG", "@x", "`x`", "{a: b}", "[a]", "'", '"', '\\', '"}]', "x: {y", "a,b", " lead", "trail ", "日本語",
    "Müller & Söhne", "O'Brien \"B\"", "💌", "x\u0301",
)  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_of_yaml_stay_texts(trick: str) -> None:
    values = {"customer": {"name": trick, "environment": "lab"}, "leave": [trick], "labels": {trick: trick}}
    assert read_back(render(values)) == values


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30))
def test_any_text_stays_what_it_is(text: str) -> None:
    values = {"customer": {"name": text, "environment": text}, "domains": {text: {"microsoftMx": text}}}
    assert read_back(render(values)) == values


@pytest.mark.parametrize(
    "name", ["a\nm365-secure-email:mode: observe", "a\u2028b", "\x1b[2J", "a\u202eb", "\x85"]
)
def test_a_name_that_breaks_the_line_is_refused_before_anything_is_written(name: str) -> None:
    values = {**sample("bce-demo-lab"), "customer": {"name": name, "environment": "lab"}}
    with pytest.raises(SettingsError, match=r"customer\.name holds a line break, a control character"):
        checked(values, SECRET, {})


def test_comments_of_others_texts_stay_comments() -> None:
    values = {"customer": {"name": "x", "environment": "lab"}}
    text = render(values, None, {"customer": "one\ntwo\u2028three\x85mode: observe"})
    assert read_back(text) == values
    assert "  # mode: observe\n" in text


# --- beside what is there -----------------------------------------------------------------------------------


def there(tmp_path: Path, values: Values, **engines: Any) -> There:
    path = tmp_path / "Pulumi.x-lab.yaml"
    config = {f"{NAMESPACE}:{key}": value for key, value in values.items()}
    path.write_text(yaml.safe_dump({"config": config, "other": 1, **engines}), encoding="utf-8")
    found = There.read(path)
    assert found is not None
    return found


def test_what_differs_is_told_by_its_path_and_no_secret_is(tmp_path: Path) -> None:
    wanted, other = sample("bce-demo-lab"), "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    encrypted = {**wanted["outbound"], "secret": {"secure": "v1:abc"}}
    changed = {
        **wanted,
        "outbound": {**encrypted, "state": "none"},
        "tenant": {**wanted["tenant"], "clientId": other},
        "lockdown": "report",
        "credentials": {"gatewayPassword": "in clear"},
    }
    assert there(tmp_path, {**wanted, "outbound": encrypted}).differences(wanted) == []
    assert sorted(there(tmp_path, changed).differences(wanted)) == [
        "credentials: differs",
        "lockdown: there report, would be nothing",
        "outbound.state: there none, would be all",
        f"tenant.clientId: there {other}, would be aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
    ]


def test_what_the_engine_keeps_and_the_secret_survive_a_new_text(tmp_path: Path) -> None:
    wanted = sample("bce-demo-lab")
    encrypted = {**wanted, "outbound": {"state": "none", "secret": {"secure": "v1:abc"}}}
    old = there(tmp_path, encrypted, encryptionsalt="v1:salt=", secretsprovider="awskms://x?region=y")
    assert old.has_secret
    text = render(wanted, old)
    loaded = yaml.safe_load(text)
    assert loaded["encryptionsalt"] == "v1:salt="
    assert loaded["secretsprovider"] == "awskms://x?region=y"
    assert read_back(text)["outbound"] == {**wanted["outbound"], "secret": {"secure": "v1:abc"}}


def test_a_secret_in_clear_is_none_that_is_kept(tmp_path: Path) -> None:
    wanted = sample("bce-demo-lab")
    clear = {**wanted, "outbound": {**wanted["outbound"], "secret": "inclear42"}}
    old = there(tmp_path, clear)
    assert not old.has_secret
    assert "inclear42" not in render(wanted, old) + "".join(old.differences({}))


@pytest.mark.parametrize("text", ["a: [", "- 1", "config: 1", "\x00", "config: [{a: b}]"])
def test_a_file_that_is_no_stack_file_is_an_error_and_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WrongFile, match=r"it is no stack file\. Put it right, or move it away"):
        There.read(path)
    assert There.read(tmp_path / "nowhere.yaml") is None


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "stacks" / "Pulumi.x.yaml"
    write(path, "one")
    write(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


# --- settings by their paths --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("lockdown=report", ("lockdown",), "report"),
        ("settle.rule=2s", ("settle", "rule"), "2s"),
        ('domains["contoso.example"].mx=gateway', ("domains", "contoso.example", "mx"), "gateway"),
        ("inbound.mxHosts[0].preference=20", ("inbound", "mxHosts", 0, "preference"), 20),
        (
            "checks={mailbox: a@b.example, forged: false}",
            ("checks",),
            {"mailbox": "a@b.example", "forged": False},
        ),
        ("endpoints.caBundle=a=b", ("endpoints", "caBundle"), "a=b"),
    ],
)
def test_a_setting_by_its_path(text: str, path: tuple[str | int, ...], value: Any) -> None:
    assert options.setting(text) == (path, value)


@pytest.mark.parametrize("text", ["lockdown", "=x", "a..b=1", "a[x]=1", "a=[", "a.=1"])
def test_a_setting_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        options.setting(text)
    assert refused.value.type == REFUSED


def test_settings_are_put_in_where_they_belong() -> None:
    paths = [options.setting(one) for one in ("a.b=1", "a.c[0]=x", 'a.d["e.f"].g=y')]
    assert options.merged({"a": {"b": 2, "z": 3}}, paths) == {
        "a": {"b": 1, "z": 3, "c": ["x"], "d": {"e.f": {"g": "y"}}}
    }


@pytest.mark.parametrize(
    "path", ["outbound.secret=abc", "outbound.previousSecrets[0]=a", "credentials.gatewayPassword=b"]
)
def test_a_secret_on_the_command_line_is_refused(path: str) -> None:
    class Known:
        settings = (options.setting(path),)

    with pytest.raises(SecretGiven, match=r"a secret is not given on the command line\. Take it out"):
        with_settings({}, Known())  # type: ignore[arg-type] # all that it looks at


def test_a_new_secret_is_one_that_the_settings_take_and_never_the_same() -> None:
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    for one in made:
        settings = checked(sample("bce-demo-lab"), one, {})
        assert isinstance(settings, Settings)
        assert settings.outbound.accepted_secrets() == (one,)


def test_credentials_may_come_later_and_all_other_mistakes_are_told_at_once() -> None:
    values = sample("contoso-prod")
    assert checked(values, SECRET, {}).outbound.state == "all"
    values["lockdown"], values["gateway"]["outboundListener"] = "shut", "IncomingMail"
    with pytest.raises(SettingsError) as refused:
        checked(values, SECRET, {})
    assert len(refused.value.lines) == 2
