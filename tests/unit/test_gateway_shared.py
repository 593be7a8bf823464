"""A shared gateway's own part, as a tenant's stack looks at it, and the guard that stands before its end."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from components.relay import COMMENT
from dynamic_providers import connections, managed_provider
from dynamic_providers.clouds import CLOUDS
from dynamic_providers.comparing import REVISION
from dynamic_providers.entries import Props
from dynamic_providers.gateway import filter_text, transaction
from dynamic_providers.gateway.hat import Group, Hat, Policy
from dynamic_providers.gateway.last_tenant import LastTenantProvider
from dynamic_providers.gateway.made_elsewhere import MadeElsewhereProvider
from dynamic_providers.gateway.outbound_filter import Filter
from dynamic_providers.gateway.sender_group import SenderGroupProvider
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.ssh import GatewayError

SENDERS = CLOUDS["worldwide"].senders
pytestmark = pytest.mark.usefixtures("said")

GATEWAY, GROUP, FILTER, HEADER = "hc1234", "RELAY_O365", "office365_outbound", "X-OUTBOUND-AUTH"
OWN_STACK = "run `pulumi up` in the gateway's own stack (kind: gateway)"
RELAY = MadeElsewhereProvider()
GUARD = LastTenantProvider()


class CannedGateway(transaction.Gateway):
    """Tables that a test changes; `reads` is which were asked for, and `gone` how it fails."""

    def __init__(self) -> None:
        self.name = GATEWAY
        self.group = Group([(SENDERS, COMMENT)], "$RELAYED", COMMENT)
        self.hat = Hat({"RELAYED": Policy("RELAY", {"tls": "Preferred"})}, {GROUP: self.group})
        self.filters: list[Filter] = []
        self.reads: list[str] = []
        self.gone = ""

    def read(self, table: str, reader: Callable[[Session], Any]) -> Any:
        if self.gone:
            raise GatewayError(self.gone, where=self.name)
        self.reads.append(table)
        return self.hat if table.startswith("listenerconfig") else self.filters

    def lets_pass(self, *secrets: str, name: str = FILTER, group: str = GROUP) -> None:
        """One more filter, for these secrets."""
        text = "\n".join(filter_text.render(name, group, HEADER, secrets))
        self.filters.append(Filter(len(self.filters) + 1, active=True, valid=True, name=name, text=text))


@pytest.fixture(autouse=True)
def nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed_provider, "_elsewhere", set())


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> CannedGateway:
    canned = CannedGateway()
    monkeypatch.setattr(connections, "_live", {"gateway": canned})
    return canned


def group_inputs() -> Props:
    senders = [{"host": SENDERS, "comment": COMMENT}]
    named = {"gateway": GATEWAY, "listener": "OutgoingMail", "name": GROUP}
    return {**named, "policy": "RELAYED", "comment": COMMENT, "senders": senders}


def wanted(*, mail: bool = True, **changed: Any) -> Props:
    policy = {"gateway": GATEWAY, "listener": "OutgoingMail", "name": "RELAYED", "tls": "Preferred"}
    parts = {"senderGroup": {**group_inputs(), **changed}, "mailFlowPolicy": policy}
    return {"gateway": GATEWAY, "mail": mail, "filter": FILTER, **parts}


def refused(news: Props, olds: Props | None = None) -> list[str]:
    return [failure.reason for failure in RELAY.check(olds or {}, news).failures]


def made(**changed: Any) -> tuple[Props, Props]:
    """Inputs and state after the first run."""
    inputs = RELAY.check({}, wanted(**changed)).inputs
    return inputs, RELAY.create(copy.deepcopy(inputs)).outs or {}


# --- at first contact ---------------------------------------------------------------------------------------


def test_what_is_there_and_right_is_taken_without_a_word(gateway: CannedGateway, said: list[str]) -> None:
    inputs, state = made()
    assert state["wrong"] == []
    assert state[REVISION]
    assert not RELAY.diff("", state, inputs).changes
    assert said == []


def test_what_is_missing_or_differs_is_refused_with_where_to_make_it(gateway: CannedGateway) -> None:
    gateway.hat = Hat({"RELAYED": Policy("RELAY")}, {})
    assert refused(wanted()) == [
        f"{GATEWAY}: mail flow policy «RELAYED» has no TLS of its own: {OWN_STACK} first",
        f"{GATEWAY}: sender group «{GROUP}» is not there: {OWN_STACK} first",
    ]
    gateway.hat = Hat({"RELAYED": Policy("RELAY", {"tls": "off"})}, {GROUP: Group([], "$RELAYED", COMMENT)})
    policy, group = refused(wanted())
    assert "«RELAYED» tls: theirs «Off», ours «Preferred»" in policy
    assert f"«{GROUP}» senders: theirs []" in group


def test_a_group_that_is_not_the_first_is_wrong(gateway: CannedGateway) -> None:
    gateway.hat.groups = {"WHITELIST": Group([("192.0.2.0/24", "")], "$RELAYED"), GROUP: gateway.group}
    [line] = refused(wanted())
    assert f"sender group «{GROUP}» order: theirs 2, ours 1" in line


def test_a_group_of_another_name_that_has_the_senders(gateway: CannedGateway) -> None:
    gateway.hat.groups = {"RELAY_M365": gateway.group}
    missing, other = refused(wanted())
    assert f"«{GROUP}» is not there" in missing
    assert f"{SENDERS} belongs to the sender group «RELAY_M365»: give names.senderGroup" in other


def test_a_second_filter_for_the_same_group(gateway: CannedGateway) -> None:
    gateway.lets_pass("theirKey1", name="tailspin_outbound")
    [line] = refused(wanted())
    assert f"the message filter «tailspin_outbound» tests the sender group «{GROUP}», too" in line
    assert "give names.filter the same value in all stacks of this gateway" in line


def test_filters_of_other_groups_and_the_common_one_are_no_trouble(gateway: CannedGateway) -> None:
    gateway.lets_pass("theirKey1", name="scanner_outbound", group="SCANNERS")
    gateway.lets_pass("theirKey1", name=FILTER.upper())
    assert refused(wanted()) == []


def test_a_gateway_that_does_not_answer_is_an_error_at_first(gateway: CannedGateway) -> None:
    gateway.gone = "does not answer"
    with pytest.raises(GatewayError, match="does not answer"):
        RELAY.check({}, wanted())


def test_what_went_between_preview_and_run_is_refused_in_the_run(gateway: CannedGateway) -> None:
    inputs = RELAY.check({}, wanted()).inputs
    gateway.hat.groups = {}
    with pytest.raises(GatewayError, match=f"«{GROUP}» is not there"):
        RELAY.create(inputs)


def test_wrong_inputs_are_refused_by_name(gateway: CannedGateway) -> None:
    [line] = refused(wanted(name="not a name"))
    assert line.startswith("senderGroup.name: ")


# --- once mail depends on it --------------------------------------------------------------------------------


def test_a_drift_is_told_and_refuses_nothing(gateway: CannedGateway, said: list[str]) -> None:
    inputs, _state = made()
    gateway.hat.groups = {}
    assert refused(wanted(), inputs) == []
    [line] = said
    assert line.startswith(f"{GATEWAY}: sender group «{GROUP}» is not there: outbound mail of every tenant")
    assert line.endswith(OWN_STACK)


def test_a_gateway_that_does_not_answer_is_told_and_refuses_nothing(
    gateway: CannedGateway, said: list[str]
) -> None:
    inputs, _state = made()
    gateway.gone = "does not answer"
    assert refused(wanted(), inputs) == []
    assert said == [f"what the gateway's own stack makes could not be looked at: {GATEWAY}: does not answer"]


def test_while_no_mail_depends_on_it_nothing_is_asked(gateway: CannedGateway, said: list[str]) -> None:
    inputs, state = made(mail=False)
    gateway.gone = "does not answer"
    assert refused(wanted(mail=False), inputs) == []
    assert (RELAY.read("", state).outs or {})["wrong"] == []
    assert said == []


def test_the_way_back_asks_nothing_and_the_way_forwards_does(gateway: CannedGateway) -> None:
    inputs, state = made()
    gateway.gone = "does not answer"
    back = RELAY.check(inputs, wanted(mail=False))
    assert not back.failures
    assert RELAY.diff("", state, back.inputs).changes
    state = RELAY.update("", state, back.inputs).outs or {}
    gateway.gone, gateway.hat.groups = "", {}
    [line] = refused(wanted(), back.inputs)
    assert f"«{GROUP}» is not there" in line
    with pytest.raises(GatewayError, match=f"«{GROUP}» is not there"):
        RELAY.update("", state, {**back.inputs, "mail": True})


def test_another_group_is_a_beginning_too(gateway: CannedGateway) -> None:
    inputs, _state = made()
    assert "«RELAY_M365» is not there" in refused(wanted(name="RELAY_M365"), inputs)[0]


def test_a_repair_that_a_refresh_had_seen_the_need_of_gets_a_new_revision(gateway: CannedGateway) -> None:
    inputs, state = made()
    gateway.hat.groups = {}
    state = RELAY.read("", {**state, REVISION: "2026-01-01T00:00:00.000+00:00"}).outs or {}
    assert state["wrong"] == [f"sender group «{GROUP}» is not there"]
    assert RELAY.diff("", state, inputs).changes
    still = RELAY.update("", state, inputs).outs or {}
    assert still == state
    gateway.hat.groups = {GROUP: gateway.group}
    right = RELAY.update("", still, inputs).outs or {}
    assert right["wrong"] == []
    assert right[REVISION] > state[REVISION]
    assert not RELAY.diff("", right, inputs).changes


def test_what_this_stack_made_before_the_gateway_was_shared_stays(
    gateway: CannedGateway, said: list[str]
) -> None:
    own = SenderGroupProvider()
    state = {**group_inputs(), "order": 1, "other": {}, "before": {GROUP: {"absent": True}}}
    RELAY.check({}, wanted())
    gateway.reads.clear()
    own.delete("", state)
    assert said == [f"{GATEWAY} OutgoingMail: sender group «{GROUP}» belongs to another stack now: stays"]
    assert gateway.reads == []


# --- the last tenant ----------------------------------------------------------------------------------------


def guarded(**changed: Any) -> Props:
    named = {"listener": "OutgoingMail", "name": FILTER, "group": GROUP, "header": HEADER}
    return {"gateway": GATEWAY, **named, **changed}


@pytest.mark.parametrize(
    ("secrets", "words"),
    [(("aKey1",), "still holds a tenant's secret"), (("aKey1", "bKey2"), "still holds 2 secrets of tenants")],
)
def test_it_does_not_go_while_tenants_are_there(
    gateway: CannedGateway, secrets: tuple[str, ...], words: str
) -> None:
    gateway.lets_pass(*secrets)
    with pytest.raises(GatewayError, match=words) as caught:
        GUARD.delete("", guarded())
    assert "nothing was removed. `pulumi destroy` the tenants' stacks first" in str(caught.value)
    assert "Key" not in str(caught.value)


def test_it_goes_when_the_filter_has_gone_and_asks_nothing_before(gateway: CannedGateway) -> None:
    inputs = GUARD.check({}, guarded()).inputs
    state = GUARD.create(inputs).outs or {}
    assert not GUARD.diff("", state, inputs).changes
    assert gateway.reads == []
    gateway.lets_pass("aKey1", name="scanner_outbound", group="SCANNERS")
    GUARD.delete("", state)


def test_a_filter_changed_by_hand_beyond_recognition_counts_while_it_names_the_group(
    gateway: CannedGateway,
) -> None:
    text = f'{FILTER}: if (sendergroup == "^{GROUP}$") {{ log-entry("seen"); drop(); }}'
    gateway.filters = [Filter(1, active=True, valid=True, name=FILTER, text=text)]
    with pytest.raises(GatewayError, match="a tenant's secret"):
        GUARD.delete("", guarded())
    gateway.filters[0] = Filter(
        1, active=True, valid=True, name=FILTER, text=f"{FILTER}: if true {{ drop(); }}"
    )
    GUARD.delete("", guarded())


@pytest.mark.parametrize("changed", [{"group": "RELAY_M365"}, {"listener": "Mail"}, {"name": "other"}])
def test_what_tenants_rely_on_is_not_renamed_or_moved_under_them(
    gateway: CannedGateway, changed: Props
) -> None:
    gateway.lets_pass("aKey1")
    [failure] = GUARD.check(guarded(), guarded(**changed)).failures
    assert "still holds a tenant's secret" in failure.reason
    assert f"needs the sender group «{GROUP}»" in failure.reason
    gateway.filters.clear()
    assert GUARD.check(guarded(), guarded(**changed)).failures == []
