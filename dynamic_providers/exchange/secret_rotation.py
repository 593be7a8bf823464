"""Rotation of the header's secret in two runs: nothing may be dropped that Microsoft 365 may still send.

First run: `secret` is the new one, the old one goes to `previousSecrets`; the gateway accepts both, the rule
sends the new one. Second run, after the settle time: the old one goes. This resource, which the outbound
filter depends on, refuses the second run before its time. It looks only; its inputs hold the secrets.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import pulumi
from pulumi.dynamic import DiffResult, Resource
from pydantic import Field

from dynamic_providers import report
from dynamic_providers.entries import Props, has_unknown, plain, texts
from dynamic_providers.errors import ManagedError, clean_errors
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import exchange
from dynamic_providers.exchange.cmdlets import TRANSPORT_RULE
from dynamic_providers.exchange.rule_order import state_of
from dynamic_providers.exchange.rule_settling import settled_at
from dynamic_providers.field_types import ExchangeName, Flag, HeaderName, HeaderValue, InitialDomain
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model
from dynamic_providers.settling import LONGEST, clock

SINCE = "since"  # the output


class TooEarly(ManagedError):
    """A secret would go from the gateway's filter while mail with it may still come."""


class SecretRotationModel(Model):
    """The rule that sends a secret, and the secrets that the gateway accepts, the one to send first."""

    tenant: InitialDomain
    name: ExchangeName
    header: HeaderName
    accepted: tuple[HeaderValue, ...] = Field(min_length=1)
    settle: Annotated[int, Field(ge=0, le=LONGEST)] = 3600
    acknowledged: Flag = Field(default=False, description="That mail with an old secret may be dropped.")


class SecretRotationProvider(LookingProvider):
    """Refuses, in preview and in the run itself, that a secret goes too early.

    Output: `since`, when we first saw the one that is sent now, UTC. A state from before it was kept has none
    until that secret changes: when that was is not known, and never made up.
    """

    model: ClassVar[type[Model]] = SecretRotationModel
    identity: ClassVar[tuple[str, ...]] = ("tenant",)
    outputs: ClassVar[tuple[str, ...]] = (SINCE,)
    free: ClassVar[frozenset[str]] = frozenset({"settle", "acknowledged"})
    secret: ClassVar[frozenset[str]] = frozenset({"accepted"})

    def refusals(self, news: Props, olds: Props) -> Iterable[str]:
        """Why a secret that was accepted cannot go yet; where it is acknowledged, only warnings of it."""
        if has_unknown(olds):
            return []
        reasons = _reasons(news, olds)
        if not news.get("acknowledged"):
            return [f"{news['tenant']}: {reason}" for reason in reasons]
        for reason in reasons:
            report.warning(f"{news['tenant']}: acknowledged: {reason}")
        return []

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """As for all that look; what changes among secrets is told."""
        found = super().diff(_id, _olds, _news)
        olds, news = plain(_olds), plain(_news)
        if olds.get("accepted") != news.get("accepted"):
            report.info(_told(olds.get("accepted"), news.get("accepted")))
        return found

    def look(self, inputs: Props, olds: Props) -> Props:
        """It may be later than `check`, and what the rule sends another secret."""
        for reason in self.refusals(inputs, olds) if olds else ():
            raise TooEarly(reason)
        if olds and _accepted(olds)[:1] == _accepted(inputs)[:1]:
            return {SINCE: olds[SINCE]} if SINCE in olds else {}
        return {SINCE: f"{_now():%Y-%m-%dT%H:%M:%SZ}"}


class SecretRotation(Resource, module="exchange", name="SecretRotation"):
    """Stands before the outbound filter; `accepted`: the secret to send, then those before it."""

    since: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        name: str,
        header: str,
        accepted: pulumi.Input[Sequence[str]],
        settle: int,
        acknowledged: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "tenant": tenant,
            "name": name,
            "header": header,
            "accepted": pulumi.Output.secret(accepted),
            "settle": settle,
            "acknowledged": acknowledged,
            **dict.fromkeys(SecretRotationProvider.outputs),
        }
        super().__init__(SecretRotationProvider(), resource_name, props, opts)


def _reasons(news: Props, olds: Props) -> list[str]:
    dropped = [one for one in _accepted(olds) if one not in _accepted(news)]
    if not dropped:
        return []
    client = exchange()
    names = dict.fromkeys([str(olds.get("name") or news["name"]), str(news["name"])])
    rules = [rule for rule in (client.find(TRANSPORT_RULE, name) for name in names) if rule is not None]
    return [reason for rule in rules if (reason := _reason(rule, dropped, news, client.name))]


def _reason(rule: Row, dropped: Sequence[str], news: Props, where: str) -> str:
    name = rule.get("Name")
    if _sends(rule, str(news["header"])) in dropped:
        return (
            f"the transport rule «{name}» still sends a secret that the gateway would no longer accept, and "
            "that mail would be dropped: put it into outbound.previousSecrets, run it, and take it away "
            "after the settle time"
        )
    until = settled_at(rule, where, float(news["settle"]))
    if until <= datetime.now(UTC):
        return ""
    return (
        f"a secret would go too early: the transport rule «{name}» changed at "
        f"{clock(settled_at(rule, where, 0))}, and Microsoft may still send what it had before, which the "
        f"gateway would drop. It may go after {clock(until)}; until then keep it in outbound.previousSecrets"
    )


def _sends(rule: Row, header: str) -> str:
    """The secret that a rule sets in our header; «» for none."""
    sets = str(rule.get("SetHeaderName") or "").casefold() == header.casefold()
    return str(rule.get("SetHeaderValue") or "") if sets and state_of(rule) == "Enabled" else ""


def _told(before: Any, now: Any) -> str:
    """What changes among the secrets, which no line of the engine shows."""
    olds, news = list(texts(before)), list(texts(now))
    parts = [
        "the one to send changes" if olds[:1] != news[:1] else "",
        f"{len(set(news) - set(olds))} new" if set(news) - set(olds) else "",
        f"{len(set(olds) - set(news))} no longer accepted" if set(olds) - set(news) else "",
    ]
    return f"header secrets: {', '.join(part for part in parts if part) or 'their order changes'}"


def _now() -> datetime:
    return datetime.now(UTC)


def _accepted(props: Props) -> list[str]:
    return list(texts(props.get("accepted")))
