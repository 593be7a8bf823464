"""The parameters of mail flow policies: asked one by one, kept only where they differ from the defaults."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lab.gateway.dialogue import Disliked
from lab.gateway.state import Configuration, Listener, Policy

if TYPE_CHECKING:
    from lab.gateway.session import Session

USE_DEFAULT = "default"
GATES = {
    "override_banner": ("banner_host", ""),
    "custom_accept": ("custom_smtp_banner", ""),
    "rate_limiting": ("max_rcpts_per_hour", "-1"),
    "dhap": ("dhap_limit", "0"),
}
"""A yes/no question that opens another one: (the parameter behind it, its value when the answer is no)."""

BEHAVIOURS = [("ACCEPT", "Accept"), ("RELAY", "Relay"), ("REJECT", "Reject"), ("TCPREFUSE", "TCP Refuse")]
DIRECT = [*BEHAVIOURS, ("CONTINUE", "Continue")]
WITH_PARAMETERS = {"ACCEPT", "RELAY"}


def shown_values(own: dict[str, str], ground: dict[str, str], *, tls_default: bool) -> dict[str, str]:
    """What the questions show in brackets: the policy's own value, else the listener's default."""
    values = {**ground, **own}
    if tls_default and "tls" not in own:
        values["tls"] = USE_DEFAULT
    for gate, (parameter, off) in GATES.items():
        values[gate] = "no" if values.get(parameter, off) in {off, ""} else "yes"
    return {
        key: {"on": "yes", "off": "no"}.get(value, value) if key in YES_NO else value
        for key, value in values.items()
    }


YES_NO = {
    "use_sb", "spam_check", "virus_check", "verify_client_cert", "require_tls_for_auth",
    "dkim_signing", "dkim_verification", "spf_verification", "envelope_sender_verification",
    "dmarc_verification", "exception_table", "untagged_bounces",
}  # fmt: skip
NOT_PARAMETERS = {"behaviour", "name", *GATES}


def own_values(
    answers: dict[str, str], own: dict[str, str], ground: dict[str, str], shown: dict[str, str]
) -> dict[str, str]:
    """The policy's own parameters after the answers; what was left at an inherited value stays inherited."""
    result = dict(own)
    for question, answer in answers.items():
        if question in GATES:
            parameter, off = GATES[question]
            if answer == "no":
                _set(result, parameter, off, ground)
        elif question not in NOT_PARAMETERS:
            if answer == USE_DEFAULT:
                result.pop(question, None)
            elif question in result or answer != shown.get(question):
                result[question] = _stored(question, answer)
    return result


def _stored(parameter: str, answer: str) -> str:
    return {"yes": "on", "no": "off"}[answer] if parameter in YES_NO else answer


def _set(result: dict[str, str], parameter: str, value: str, ground: dict[str, str]) -> None:
    if value == "":  # so a banner of the listener's defaults stays: how AsyncOS has none instead is not known
        result.pop(parameter, None)
    elif parameter in result or ground.get(parameter, value) != value:
        result[parameter] = value


async def ask_parameters(
    session: Session, dialogue: str, own: dict[str, str], ground: dict[str, str], behaviour: str = ""
) -> tuple[dict[str, str], str]:
    """Ask everything about a policy. Gives its own parameters and its behaviour."""
    steps = session.profile.dialogue(dialogue)
    tls_default = any(
        choice[0] == USE_DEFAULT for step in steps if step.id == "tls" for choice in step.choices
    )
    shown = shown_values(own, ground, tls_default=tls_default)
    answers = await session.ask(
        dialogue, defaults={**shown, "behaviour": behaviour}, choices={"behaviour": BEHAVIOURS}
    )
    return own_values(answers, own, ground, shown), answers.get("behaviour", behaviour)


async def new_policy(session: Session, listener_name: str) -> None:
    """NEW → New Policy."""
    listener = session.tables.listener(listener_name)

    def unused(name: str) -> str:
        if name in listener.policies:
            raise Disliked(session.profile.text("policy_exists", name=name))
        return name

    asked = await session.ask("policy.name", checks={"name": unused})
    parameters, behaviour = await ask_parameters(session, "policy.new", {}, listener.defaults)
    put_policy(session, listener_name, Policy(asked["name"], behaviour, parameters), "added")


async def edit_policy(session: Session, listener_name: str, name: str) -> None:
    """EDIT → Edit Policy."""
    listener = session.tables.listener(listener_name)
    policy = listener.policies[name]
    parameters, behaviour = await ask_parameters(
        session, "policy.edit", policy.parameters, listener.defaults, policy.behaviour
    )
    put_policy(session, listener_name, Policy(name, behaviour, parameters), "changed")


async def edit_defaults(session: Session, listener_name: str) -> None:
    """DEFAULT: what every policy of the listener starts from."""
    listener = session.tables.listener(listener_name)
    parameters, _ = await ask_parameters(session, "policy.default", listener.defaults, {})

    def mutate(tables: Configuration) -> None:
        tables.listener(listener_name).defaults = dict(parameters)

    session.write(f"hostaccess:{listener_name}", "DEFAULT", "changed", mutate)


def put_policy(session: Session, listener_name: str, policy: Policy, what: str) -> None:
    """Set one policy."""

    def mutate(tables: Configuration) -> None:
        tables.listener(listener_name).policies[policy.name] = copy.deepcopy(policy)

    session.write(f"hostaccess:{listener_name}", f"${policy.name}", what, mutate)


def delete_policy(session: Session, listener_name: str, name: str) -> None:
    """Remove one policy, unless a sender group uses it."""
    users = _users(session.tables.listener(listener_name), name)
    if users:
        raise Disliked(session.profile.text("policy_in_use", name=name, groups=", ".join(users)))

    def mutate(tables: Configuration) -> None:
        listener = tables.listener(listener_name)
        if _users(listener, name):
            raise LookupError(f"The policy {name} is in use.")
        listener.policies.pop(name, None)

    session.write(f"hostaccess:{listener_name}", f"${name}", "removed", mutate)


def _users(listener: Listener, policy: str) -> list[str]:
    return [group.label for group in listener.groups if group.behaviour == f"${policy}"]
