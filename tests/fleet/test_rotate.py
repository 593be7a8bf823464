"""`fleet rotate`: another secret in the stack file, encrypted, and nothing else in it is another."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from components.stack_config import NAMESPACE
from fleet.secret_text import SecretText, WrongText
from tests.fleet.fleet_kit import Fleet

FILE = """\
# Contoso's, since 2024
encryptionsalt: v1:c2FsdA==
config:
  m365-secure-email:customer: {name: Alpha, environment: prod}   # as in the contract
  m365-secure-email:gateway: {name: of-alpha, members: [{host: esa1.of-alpha.example}]}
  m365-secure-email:outbound:
    # everybody, since March
    state: all
    secret:
      secure: v1:b2xk   # never twice the same
    # data 2
    smartHosts: [198.51.100.186]
"""
BEGUN = FILE.replace("v1:b2xk   #", '"v1:bmV3"   #').replace(
    "    # data 2\n", '    previousSecrets: [{secure: "v1:b2xk"}]\n    # data 2\n'
)
FINISHED = BEGUN.replace('[{secure: "v1:b2xk"}]', "[]")
ENCRYPTS = r"""
copy=${words##*--config-file }
cat > given
sed -i 's/v1:b2xk/v1:bmV3/; s/ *#.*//' "${copy%% *}"
"""
"""The engine: it keeps what it is given, encrypts it into the file that it is told of, and drops comments."""


@pytest.fixture
def alpha(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stack file of a stack, and an engine that encrypts."""
    monkeypatch.delenv("OUTBOUND_SECRET", raising=False)
    monkeypatch.setattr("fleet.rotate.engine_environment", lambda: {**os.environ, **fleet.engine.environment})
    fleet.engine.answer("alpha", "config", script=ENCRYPTS)
    path = fleet.folder / "stacks" / "Pulumi.alpha.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_begin_then_finish_change_the_secrets_and_no_other_letter(fleet: Fleet, alpha: Path) -> None:
    assert fleet.run("rotate", "begin", "alpha") == 0, fleet.err
    assert alpha.read_text(encoding="utf-8") == BEGUN
    assert "next: `fleet up alpha`" in fleet.out
    secret = (fleet.engine.folder / "given").read_text(encoding="utf-8")
    assert re.fullmatch("[A-Za-z0-9]{40}", secret)
    [asked] = fleet.engine.asked()
    assert asked.startswith("config set --secret --path m365-secure-email:outbound.secret --stack alpha ")
    assert secret not in asked + fleet.out + fleet.err + str(fleet.engine.environment_of("alpha"))
    assert not Path(asked.partition("--config-file ")[2].split()[0]).exists()

    assert fleet.run("rotate", "finish", "alpha") == 0, fleet.err
    assert alpha.read_text(encoding="utf-8") == FINISHED
    assert len(fleet.engine.asked()) == 1
    assert sorted(path.name for path in alpha.parent.iterdir()) == [
        f"Pulumi.{name}.yaml" for name in ("alpha", "beta", "gamma")
    ]


@pytest.mark.parametrize(
    ("text", "variable", "words", "says"),
    [
        (BEGUN, "", ("begin", "alpha"), "is begun already.*`fleet rotate finish alpha`"),
        (FILE, "", ("finish", "alpha"), "no secret from before.*`fleet rotate begin alpha`"),
        (FINISHED, "", ("finish", "alpha"), "no secret from before"),
        (FILE, "OUTBOUND_SECRET", ("begin", "alpha"), "comes from OUTBOUND_SECRET of the .*previousSecrets"),
        (FILE, "ALPHA__OUTBOUND_SECRET", ("begin", "alpha"), "comes from ALPHA__OUTBOUND_SECRET of the env"),
        (FILE.replace("{name: Alpha,", "{name: !!a"), "", ("begin", "alpha"), "is no YAML.*Put it right"),
        (f"{FILE}  {NAMESPACE}:kind: gateway\n", "", ("begin", "alpha"), "a gateway's stack has no secret"),
        (FILE, "", ("begin", "alpah"), "no stack is called «alpah»"),
        (FILE.replace("secret:", "sekret:"), "", ("begin", "alpha"), "does not stand there encrypted"),
    ],
)
def test_refused(
    fleet: Fleet,
    alpha: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    text: str,
    variable: str,
    words: tuple[str, str],
    says: str,
) -> None:
    alpha.write_text(text, encoding="utf-8")
    if variable:
        monkeypatch.setenv(variable, "fromTheEnvironment1")
    assert fleet.run("rotate", *words) == 1
    assert re.search(says, fleet.err), fleet.err
    assert "fromTheEnvironment1" not in fleet.err
    assert alpha.read_text(encoding="utf-8") == text


def test_a_secret_of_another_stack_in_the_environment_is_no_hindrance(
    fleet: Fleet, alpha: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BETA__OUTBOUND_SECRET", "fromTheEnvironment1")
    assert fleet.run("rotate", "begin", "alpha") == 0, fleet.err
    assert alpha.read_text(encoding="utf-8") == BEGUN


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("", 255, "PULUMI_CONFIG_PASSPHRASE"),
        ('echo "# mine" >> {file}\n', 0, "somebody wrote the file meanwhile"),
    ],
)
def test_all_of_it_or_nothing(fleet: Fleet, alpha: Path, script: str, code: int, says: str) -> None:
    errors = "error: passphrase must be set\n" if code else ""
    script = script.replace("{file}", str(alpha)) + ENCRYPTS
    fleet.engine.answer("alpha", "config", script=script, code=code, errors=errors)
    assert fleet.run("rotate", "begin", "alpha") == 1
    assert says in fleet.err
    assert alpha.read_text(encoding="utf-8").removesuffix("# mine\n") == FILE
    assert len(list(alpha.parent.iterdir())) == 3


# --- the text -----------------------------------------------------------------------------------------------

OUTBOUND = f"config:\n  {NAMESPACE}:outbound:"
FORMS = {
    "a block": f"{OUTBOUND}\n    secret:\n      secure: v1:old # c\n    # d\n    x: y\n",
    "in one line, the last one": f"{OUTBOUND}\n    secret: {{secure: 'v1:old'}}",
    "all in one line": f"{OUTBOUND} {{state: all, secret: {{secure: v1:old}}, x: [y]}} # c\n",
    "over several lines": f"{OUTBOUND} {{\n    secret: {{\n    secure: v1:old # c\n  }}, # d\n  x: y }}\n",
    "with an empty list": f"{OUTBOUND}\n    previousSecrets: [] # c\n    secret: {{secure: v1:old}}\n",
    "with nothing": f"{OUTBOUND}\n    secret: {{secure: v1:old}}\n    previousSecrets: # c\n    x: y\n",
    "of Windows": f"{OUTBOUND}\n    secret: {{secure: v1:old}}\n    x: y\n".replace("\n", "\r\n"),
    "JSON": f'{{"config": {{"{NAMESPACE}:outbound": {{"secret": {{"secure": "v1:old"}}}}}}}}',
}


def outbound(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)["config"][f"{NAMESPACE}:outbound"]
    return found


@pytest.mark.parametrize("form", FORMS)
def test_however_it_is_written(form: str) -> None:
    text = FORMS[form]
    begun = SecretText(text, "x").with_secret("v1:n/+e=w")
    rest = {key: value for key, value in outbound(text).items() if key in ("state", "x")}
    assert outbound(begun) == {
        **rest,
        "secret": {"secure": "v1:n/+e=w"},
        "previousSecrets": [{"secure": "v1:old"}],
    }
    assert SecretText(begun, "x").encrypted == "v1:n/+e=w"
    finished = SecretText(begun, "x").without_previous()
    assert outbound(finished) == {**rest, "secret": {"secure": "v1:n/+e=w"}, "previousSecrets": []}
    assert begun.count("# d") == finished.count("# d") == text.count("# d")
    assert begun.replace("\r\n", "").count("\n") == (0 if "\r" in text else begun.count("\n"))
    assert SecretText(finished, "x").with_secret("v1:third").count("\n") == finished.count("\n")


def test_several_from_before_go_together_and_the_next_comment_stays() -> None:
    listed = (
        "    previousSecrets:\n    - secure: v1:a # b\n    # c\n    -  {secure: v1:d}\n    # e\n    x: y\n"
    )
    text = f"{OUTBOUND}\n    secret: {{secure: v1:old}}\n{listed}"
    finished = SecretText(text, "x").without_previous()
    assert (
        finished
        == f"{OUTBOUND}\n    secret: {{secure: v1:old}}\n    previousSecrets: []\n    # e\n    x: y\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"{OUTBOUND} {{secure: v1:all}}\n",
        f"{OUTBOUND} {{secret: inClear1}}\n",
        f'{OUTBOUND} \'{{"secret": "inClear1"}}\'\n',
        "config: {}\n",
        f"{OUTBOUND}\n    secret: &s {{secure: v1:old}}\n  other: *s\n",
    ],
)
def test_what_cannot_be_changed_in_its_place_is_refused(text: str) -> None:
    with pytest.raises(WrongText, match="does not stand there encrypted by itself") as refused:
        SecretText(text, "stacks/Pulumi.x.yaml").with_secret("v1:new")
    assert "inClear1" not in str(refused.value)
