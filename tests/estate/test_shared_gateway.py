"""Two tenants on one gateway: what is the gateway's is its own stack's, and neither hurts the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from lab.estate import Estate
from tests.estate.traffic import wait_for
from tests.mail_stack import DOMAIN, MailStack
from tests.mini_engine import Refused, Run
from tests.plugin_nursery import Nursery
from tests.shared_stacks import (
    A_SECRET,
    B_DOMAIN,
    B_SECRET,
    FILTER,
    GROUP,
    QUICK,
    Point,
    SharedStacks,
    changed,
)

OF_A = {f"route {DOMAIN}", f"destination {DOMAIN}", f"recipient {DOMAIN} (IncomingMail)"}
CHECKS = {"direct-check": {"direct"}, "inbound-check": {"inbound"}, "outbound-check": {"outbound", "forged"}}
OWN_STACK = "`pulumi up` in the gateway's own stack"
NEW_SECRET = "newSecretKey9"

pytestmark = pytest.mark.timeout(120)


class Scene:
    """The stacks, and where tests begin: `untouched` by us, `ready` for tenants, `both` tenants up."""

    def __init__(self, stacks: SharedStacks) -> None:
        self.stacks = stacks
        self.before = stacks.dump()
        self.untouched = stacks.here()
        stacks.gateway.up()
        self.ready = stacks.here()
        stacks.a.up()
        stacks.b.up()
        self.both = stacks.here()

    def begin(self, point: Point) -> SharedStacks:
        self.stacks.go_back(point)
        return self.stacks


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("shared")
    with Estate(folder / ".lab", second_tenant=True, **QUICK) as estate, Nursery() as nursery:
        yield Scene(SharedStacks(estate, nursery))


def proofs(tenant: MailStack) -> dict[str, set[tuple[str, str]]]:
    """Each check resource's proofs: check and verdict."""
    return {
        name: {(one["check"], one["verdict"]) for one in tenant.state[name].outputs["evidence"]}
        for name in CHECKS
    }


ALL_OK = {name: {(check, "ok") for check in checks} for name, checks in CHECKS.items()}


def prove_again(tenant: MailStack) -> dict[str, set[tuple[str, str]]]:
    """Run all checks of a tenant anew."""
    for name in CHECKS:
        del tenant.state[name]
    assert tenant.up().operations() == dict.fromkeys(CHECKS, "create")
    return proofs(tenant)


def refusal(run: Callable[[], Run]) -> str:
    with pytest.raises(Refused) as caught:
        run()
    return str(caught.value)


# --- joining and leaving ------------------------------------------------------------------------------------


def test_before_the_gateways_own_stack_a_tenants_preview_says_what_to_do(scene: Scene) -> None:
    stacks = scene.begin(scene.untouched)
    said = refusal(stacks.a.preview)
    assert f"relay: bce-demo: sender group «{GROUP}» is not there: run {OWN_STACK}" in said
    assert "relay: bce-demo: mail flow policy «RELAYED» has no TLS of its own: run" in said
    assert stacks.dump() == scene.before


def test_both_tenants_are_right_and_a_second_run_changes_nothing(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    assert stacks.alternatives() == {A_SECRET, B_SECRET}
    assert proofs(stacks.a) == proofs(stacks.b) == ALL_OK
    after, mark = stacks.dump(), stacks.estate.journal.mark()
    for stack in (stacks.gateway, stacks.a, stacks.b):
        assert stack.up().operations() == {}
    assert stacks.dump() == after
    assert stacks.estate.journal.count(kind="commit", since=mark) == 0
    stacks.a.refresh()
    stacks.b.refresh()
    assert stacks.a.preview().operations() == stacks.b.preview().operations() == {}


def test_to_look_at_the_gateways_part_costs_one_reading_of_the_host_access_table(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    mark = stacks.estate.journal.mark()
    stacks.a.preview()
    typed = [event.detail["line"] for event in stacks.estate.journal.events(kind="command", since=mark)]
    assert typed.count("listenerconfig") == 1
    assert not {"filters", "smtproutes", "destconfig", "sslconfig"} & set(typed)


def test_one_goes_and_the_other_is_untouched_until_the_last_has_gone(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    estate = stacks.estate
    assert estate.second is not None
    gateway, second = estate.gateway.dump(), estate.second.dump()
    held = refusal(stacks.gateway.destroy)
    assert f"the message filter «{FILTER}» still holds 2 secrets of tenants" in held
    assert "nothing was removed. `pulumi destroy` the tenants' stacks first" in held
    assert estate.gateway.dump() == gateway
    stacks.a.destroy(freed=True)
    assert changed(gateway, estate.gateway.dump()) == {*OF_A, f"filter {FILTER}"}
    assert estate.second.dump() == second
    assert stacks.alternatives() == {B_SECRET}
    assert stacks.b.preview().operations() == {}
    assert prove_again(stacks.b) == ALL_OK
    assert "still holds a tenant's secret" in refusal(stacks.gateway.destroy)
    stacks.b.destroy(freed=True)
    stacks.gateway.destroy()
    assert stacks.dump() == scene.before


def test_the_first_tenant_may_come_back_while_the_second_stays(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    stacks.a.destroy(freed=True)
    stacks.a.up()
    assert stacks.alternatives() == {A_SECRET, B_SECRET}
    assert proofs(stacks.a) == ALL_OK
    assert stacks.b.up().operations() == {}


# --- while both are there -----------------------------------------------------------------------------------


def test_one_tenants_secret_changes_and_the_other_passes_all_the_time(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    stacks.a.set({("outbound", "previousSecrets"): [A_SECRET]}, {"OUTBOUND_SECRET": NEW_SECRET})
    stacks.a.up()
    assert stacks.alternatives() == {NEW_SECRET, A_SECRET, B_SECRET}
    assert proofs(stacks.a) == ALL_OK
    assert prove_again(stacks.b) == ALL_OK
    stacks.a.set({("outbound", "previousSecrets"): None})
    once_settled(stacks.a.up)
    assert stacks.alternatives() == {NEW_SECRET, B_SECRET}
    assert stacks.b.up().operations() == {}


def once_settled(run: Callable[[], Run]) -> None:
    """Run it until the old secret may go: a second after the rule has changed, by these stacks' settings."""

    def may() -> bool:
        try:
            run()
        except Refused as refused:
            if "a secret would go too early" not in str(refused):
                raise
            return False
        return True

    wait_for(may, "the old secret may go")


def test_a_drift_of_the_gateways_part_is_told_by_a_tenant_and_made_right_by_the_gateways_stack(
    scene: Scene,
) -> None:
    stacks = scene.begin(scene.both)
    listener = stacks.estate.gateway.state.base.listener("OutgoingMail")
    listener.policies["RELAYED"].parameters["tls"] = "off"
    run = stacks.a.up()
    assert run.operations() == {}
    [said] = run.lines
    assert re.search(r"mail flow policy «RELAYED» tls: theirs «Off», ours «Preferred»", said)
    assert "of every tenant of this gateway" in said
    assert OWN_STACK in said
    stacks.a.refresh()
    assert stacks.a.up().operations() == {"relay": "update"}  # still wrong: told, and no check is run for it
    stacks.gateway.refresh()
    assert stacks.gateway.up().operations() == {"mail-flow-policy": "update"}
    assert stacks.a.up().operations() == {"relay": "update", "outbound-check": "update"}
    assert proofs(stacks.a) == ALL_OK
    assert stacks.a.up().operations() == {}


def test_the_way_back_of_a_tenant_does_not_need_the_gateway(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    stacks.estate.gateway.refuse_connections = True
    stacks.a.set({("domains", DOMAIN, "mx"): "microsoft"})
    run = stacks.a.up()
    assert run.operations() == {"guard": "update", f"mx-{DOMAIN}": "update", "inbound-check": "delete"}
    assert any("what the gateway's own stack makes could not be looked at: " in one for one in run.lines)
    stacks.a.set({("outbound", "state"): "none"})
    assert stacks.a.up().operations()["outbound-rule"] == "delete"
    stacks.estate.gateway.refuse_connections = False
    assert stacks.b.up().operations() == {}


def test_outbound_mail_does_not_begin_while_the_gateways_part_is_wrong(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    stacks.a.set({("outbound", "state"): "none"})
    stacks.a.up()
    listener = stacks.estate.gateway.state.base.listener("OutgoingMail")
    listener.groups.remove(listener.group(GROUP))
    assert stacks.a.up().operations() == {}  # no mail depends on it
    stacks.a.set({("outbound", "state"): "all"})
    assert f"sender group «{GROUP}» is not there" in refusal(stacks.a.preview)


# --- names that have to agree -------------------------------------------------------------------------------


def test_a_gateways_stack_with_another_group_name(scene: Scene) -> None:
    stacks = scene.begin(scene.untouched)
    stacks.gateway.set({("names", "senderGroup"): "RELAY_M365"})
    stacks.gateway.up()
    said = refusal(stacks.a.preview)
    assert f"sender group «{GROUP}» is not there" in said
    assert ".protection.outlook.com belongs to the sender group «RELAY_M365»: give names.senderGroup" in said


def test_a_tenant_with_a_filter_of_its_own(scene: Scene) -> None:
    stacks = scene.begin(scene.ready)
    stacks.a.up()
    stacks.b.set({("names", "filter"): "fabrikam_outbound"})
    said = refusal(stacks.b.preview)
    assert f"the message filter «{FILTER}» tests the sender group «{GROUP}», too" in said
    assert "give names.filter the same value in all stacks of this gateway" in said


def test_the_group_is_not_renamed_under_the_tenants_mail(scene: Scene) -> None:
    stacks = scene.begin(scene.both)
    stacks.gateway.set({("names", "senderGroup"): "RELAY_M365"})
    assert "still holds 2 secrets of tenants" in refusal(stacks.gateway.preview)


# --- one tenant becomes two ---------------------------------------------------------------------------------


def test_a_gateway_that_was_one_tenants_becomes_a_shared_one(scene: Scene) -> None:
    """Its group and policy stay where they are, and all its mail runs on."""
    stacks = scene.begin(scene.untouched)
    stacks.a.set({("gateway", "shared"): None, ("takeOver",): ["mailFlowPolicy"]})
    stacks.a.up()
    stacks.b.set({("gateway", "shared"): None})
    [warning] = [line for line in stacks.b.preview().lines if "gateway.shared" in line]
    assert f"the filter «{FILTER}» lets other secrets pass, too (1): if another tenant's stack" in warning
    stacks.b.set({("gateway", "shared"): True})
    dump = stacks.estate.gateway.dump()
    run = stacks.gateway.up()
    assert any(f"sender group «{GROUP}» exists and is right: will be managed" in one for one in run.lines)
    stacks.a.set({("gateway", "shared"): True, ("takeOver",): None})
    run = stacks.a.up()
    assert any(f"sender group «{GROUP}» belongs to another stack now: stays" in one for one in run.lines)
    assert {"sender-group", "mail-flow-policy"}.isdisjoint(stacks.a.state)
    assert stacks.estate.gateway.dump() == dump
    assert prove_again(stacks.a) == ALL_OK
    stacks.b.up()
    assert proofs(stacks.b) == ALL_OK
    assert B_DOMAIN in stacks.estate.gateway.dump()
