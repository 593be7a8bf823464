"""What another stack makes on a shared gateway: looked at, never written.

The sender group and the mail flow policy of a gateway that several tenants use belong to its own stack, of
kind gateway. A tenant's stack makes sure that they are there and right before its mail depends on them. From
then on a drift is warned of in each run, and refuses nothing: the way back works with the gateway gone, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult

from dynamic_providers import report
from dynamic_providers.comparing import REVISION
from dynamic_providers.entries import MISSING, Props, differences, has_unknown, plain, quoted
from dynamic_providers.errors import ManagedError, clean_errors
from dynamic_providers.field_types import FilterName, Flag, Label
from dynamic_providers.gateway import transaction
from dynamic_providers.gateway.every_member import told_by_each
from dynamic_providers.gateway.filter_tenants import other_filters
from dynamic_providers.gateway.mail_flow_policy import MailFlowPolicyInputs, MailFlowPolicyProvider
from dynamic_providers.gateway.outbound_tls import OutboundTlsProvider
from dynamic_providers.gateway.sender_group import SenderGroupInputs, SenderGroupProvider, read_hat
from dynamic_providers.gateway.ssh import GatewayError
from dynamic_providers.gateway.tables import GatewayProvider
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation
from dynamic_providers.observing import Observable

PARTS: Mapping[str, type[GatewayProvider]] = {
    "mailFlowPolicy": MailFlowPolicyProvider,
    "senderGroup": SenderGroupProvider,
}
FIX = "run `pulumi up` in the gateway's own stack (kind: gateway) first"
WRONG = "wrong"


class NotAsMadeElsewhere(GatewayError):
    """Something that the gateway's own stack makes is missing, or differs."""


# --- model --------------------------------------------------------------------------------------------------


class MadeElsewhereInputs(Model):
    """What has to be there, as the inputs of those who make it; the filter is the tenants' common one.

    `mail`: whether this tenant's mail depends on it.
    """

    gateway: Label
    mail: Flag
    filter: FilterName
    sender_group: SenderGroupInputs
    mail_flow_policy: MailFlowPolicyInputs


# --- provider -----------------------------------------------------------------------------------------------


class MadeElsewhereProvider(LookingProvider):
    """Refuses to begin where it is not right. Outputs: `wrong`, in lines; `revision`, since when right."""

    model = MadeElsewhereInputs
    identity = ("gateway",)
    outputs = (WRONG, REVISION)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """As for all that look; and what this stack made before the gateway was shared, it leaves there."""
        checked = super().check(_olds, news)
        given = checked.inputs
        if not checked.failures and not has_unknown(given):
            SenderGroupProvider().belongs_elsewhere(given["senderGroup"])
            MailFlowPolicyProvider().belongs_elsewhere(given["mailFlowPolicy"])
            OutboundTlsProvider().belongs_elsewhere({"gateway": given["gateway"]})
        return checked

    def refusals(self, inputs: Props, olds: Props) -> Iterable[str]:
        if self._begins(inputs, olds):
            return [f"{inputs['gateway']}: {one}: {FIX}" for one in self._unfit(inputs)]
        if inputs["mail"]:
            self._warn(inputs)
        return []

    def look(self, inputs: Props, olds: Props) -> Props:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        if not self._begins(inputs, olds):
            wrong = _wrong(inputs) if inputs["mail"] else []
            repaired = bool(olds.get(WRONG)) and not wrong
            return {WRONG: wrong, REVISION: now if repaired else olds[REVISION]}
        unfit = self._unfit(inputs)
        if unfit:
            raise NotAsMadeElsewhere("; ".join(unfit), where=str(inputs["gateway"]), fix=FIX)
        return {WRONG: [], REVISION: now}

    def again(self, state: Props) -> Props:
        return {**state, WRONG: _wrong(state) if state["mail"] else []}

    def seen(self, inputs: Props) -> Iterable[Observation]:
        """Both parts by attributes; and what would stop this stack from beginning."""
        for kind, made_by in PARTS.items():
            wanted, _ = made_by().validated(inputs[kind])
            yield from made_by().seen(wanted)
        where = str(inputs["gateway"])
        for line in (*told_by_each(lambda: _other_names(inputs)), *_second_filter(inputs)):
            yield Observation(where, "the gateway's own stack", "", "in the way", line)

    def unsettled(self, olds: Props, news: Props) -> bool:
        """After a drift: once it is right again, the checks run again."""
        return bool(olds.get(WRONG))

    def _begins(self, inputs: Props, olds: Props) -> bool:
        """Whether mail would come to depend on it by this run. Going back never does."""
        if not olds:
            return True
        other = any(olds.get(name) != inputs[name] for name in (*self.identity, *PARTS))
        return other or (inputs["mail"] and not olds.get("mail"))

    def _unfit(self, inputs: Props) -> list[str]:
        others = told_by_each(lambda: _other_names(inputs))
        return [*_wrong(inputs), *others, *_second_filter(inputs)]

    def _warn(self, inputs: Props) -> None:
        try:
            for one in _wrong(inputs):
                report.warning(
                    f"{inputs['gateway']}: {one}: outbound mail of every tenant of this gateway may be "
                    "refused or dropped: run `pulumi up` in the gateway's own stack (kind: gateway)"
                )
        except ManagedError as error:  # what is in force already must not stop a way back
            report.warning(f"what the gateway's own stack makes could not be looked at: {error}")


def _wrong(props: Props) -> list[str]:
    return told_by_each(lambda: _wrong_here(props))


def _wrong_here(props: Props) -> Iterator[str]:
    for kind, made_by in PARTS.items():
        provider = made_by()
        wanted = plain(provider.model.model_validate(props[kind]).model_dump(mode="json", by_alias=True))
        place = {name: wanted[name] for name in provider.place_fields()}
        entries = provider.entries(wanted)
        live = provider.live(place, sorted(entries))
        for key, ours in entries.items():
            found = differences(key, live.get(key), ours, secret=provider.secret, equal=provider.equal)
            for one in found:
                yield f"{provider.label} «{key}» {provider.missing if one.attribute == MISSING else one}"


def _other_names(props: Props) -> Iterator[str]:
    """The group may be there under another name: then the two stacks do not mean the same."""
    wanted = props["senderGroup"]
    groups = read_hat(transaction.gateway(), str(wanted["listener"])).groups
    senders = {one["host"] for one in wanted["senders"]}
    others = [
        name
        for name, group in groups.items()
        if name != wanted["name"] and senders & {host.lower() for host, _ in group.members}
    ]
    if others:
        yield (
            f"{', '.join(sorted(senders))} belongs to the sender group {quoted(others)}: give "
            "names.senderGroup the same value in all stacks of this gateway, or remove the other group"
        )


def _second_filter(props: Props) -> Iterator[str]:
    """Two filters that test one group: each drops what only the other one lets pass."""
    wanted = props["senderGroup"]
    others = other_filters({"name": props["filter"], "group": wanted["name"]})
    if others:
        yield (
            f"the message filter {quoted(others)} tests the sender group «{wanted['name']}», too, and would "
            "drop this tenant's mail: give names.filter the same value in all stacks of this gateway"
        )


# --- resource -----------------------------------------------------------------------------------------------


class MadeElsewhere(Observable, module="gateway", name="MadeElsewhere"):
    """Sender group and mail flow policy of a shared gateway: gateway, mail, filter, and both as made."""

    revision: pulumi.Output[str]

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {**props, **dict.fromkeys(MadeElsewhereProvider.outputs)}
        super().__init__(MadeElsewhereProvider(), name, given, opts)
