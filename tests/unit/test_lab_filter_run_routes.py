"""Routing, delivery interface and destination controls: which entry counts."""

from __future__ import annotations

import pytest

from lab.gateway.commands.smtproutes import parse_targets
from lab.gateway.mail.limits import UNLIMITED, Control, Slots, control_of
from lab.gateway.mail.routing import find_way, source_interface
from lab.gateway.state import Configuration, Delivery, Destination


class Names:
    """A resolver that knows a few names."""

    def addresses(self, name: str) -> list[str]:
        return {
            "mx.microsoft.example": ["203.0.113.25"],
            "backup.example": ["203.0.113.70", "203.0.113.71"],
            "mx.backup.example": ["203.0.113.72"],
            "bare.example": ["203.0.113.73"],
        }.get(name, [])

    def mail_hosts(self, domain: str) -> list[tuple[int, str]]:
        return {
            "bce-demo.com": [(0, "mx.microsoft.example"), (10, "backup.example")],
            "backup.example": [(5, "mx.backup.example")],
        }.get(domain, [])


def tables(**routes: str) -> Configuration:
    known = {domain.replace("_", "."): parse_targets(hosts) for domain, hosts in routes.items()}
    return Configuration(routes=known, destinations={"DEFAULT": Destination("DEFAULT", 500, 50)})


def addresses(configured: Configuration, domain: str, mail_host: str = "") -> list[str]:
    return [hop.address for hop in find_way(configured, Names(), domain, mail_host).hops]


def test_without_a_route_the_mail_exchangers_are_tried_by_preference() -> None:
    assert addresses(tables(), "bce-demo.com") == ["203.0.113.25", "203.0.113.70", "203.0.113.71"]


def test_without_a_mail_exchanger_the_domain_itself_is_tried() -> None:
    assert addresses(tables(), "bare.example") == ["203.0.113.73"]


def test_a_route_goes_before_the_mail_exchangers() -> None:
    assert addresses(tables(bce_demo="203.0.113.9"), "bce.demo") == ["203.0.113.9"]


def test_a_route_s_host_is_looked_up_as_mail_exchanger_first() -> None:
    assert addresses(tables(a_example="backup.example"), "a.example") == ["203.0.113.72"]
    assert addresses(tables(a_example="[backup.example]"), "a.example") == ["203.0.113.70", "203.0.113.71"]
    assert addresses(tables(a_example="mx.microsoft.example"), "a.example") == ["203.0.113.25"]


def test_the_nearest_route_counts() -> None:
    configured = tables(
        _example="203.0.113.1", _a_example="203.0.113.2", b_a_example="203.0.113.3", ALL="10.0.0.1"
    )
    assert addresses(configured, "b.a.example") == ["203.0.113.3"]
    assert addresses(configured, "c.a.example") == ["203.0.113.2"]
    assert addresses(configured, "a.example") == ["203.0.113.1"]
    assert addresses(configured, "elsewhere.test") == ["10.0.0.1"]


def test_priorities_and_ports_of_a_route() -> None:
    way = find_way(tables(a_b="203.0.113.2/pri=10, 203.0.113.1:2525"), Names(), "a.b")
    assert [(hop.address, hop.port) for hop in way.hops] == [("203.0.113.1", 2525), ("203.0.113.2", 25)]


def test_a_route_to_dns_a_route_to_nothing_and_a_route_nowhere() -> None:
    configured = tables(ALL="203.0.113.1", bce_x="USEDNS", null_x="/dev/null", gone_x="gone.example")
    configured.routes["bce-demo.com"] = parse_targets("USEDNS")
    assert addresses(configured, "bce-demo.com")[0] == "203.0.113.25"
    assert find_way(configured, Names(), "null.x").thrown_away
    assert "no address (gone.example)" in find_way(configured, Names(), "gone.x").nowhere
    assert "looking up nowhere.test" in find_way(tables(), Names(), "nowhere.test").nowhere


def test_a_filter_s_mail_host_goes_before_routes() -> None:
    assert addresses(tables(a_b="203.0.113.1"), "a.b", "mx.microsoft.example") == ["203.0.113.25"]


def test_the_interface_is_chosen_by_source_then_by_deliveryconfig() -> None:
    configured = tables()
    assert source_interface(configured, "a@b.c", "192.0.2.1", "Data 2") == "Data 2"
    configured.delivery = Delivery("Data 1")
    assert source_interface(configured, "a@b.c", "192.0.2.1", "Data 2") == "Data 1"
    configured.alt_sources = {"@B.c": "Data 2", "192.0.2.9": "Management"}
    assert source_interface(configured, "a@b.c", "192.0.2.1", "Data 1") == "Data 2"
    assert source_interface(configured, "x@y.z", "192.0.2.9", "Data 1") == "Management"


def test_what_an_entry_does_not_say_the_default_entry_does() -> None:
    configured = tables()
    configured.destinations["bce-demo.com"] = Destination("bce-demo.com", 10, 20, table_tls="preferred")
    configured.destinations[".x.example"] = Destination(".x.example", table_tls="required-verify")
    own, default = control_of(configured, "bce-demo.com"), control_of(configured, "other.example")
    assert (own.connections, own.messages, own.tls) == (10, 20, "preferred")
    assert (default.connections, default.messages, default.tls) == (500, 50, "no")
    assert default.recipients == UNLIMITED
    suffix = control_of(configured, "y.x.example")
    assert (suffix.connections, suffix.messages, suffix.tls) == (500, 50, "required")


def test_slots_are_never_more_than_the_limit() -> None:
    slots = Slots()
    assert [slots.take("a", 2) for _ in range(3)] == [True, True, False]
    assert slots.take("b", 1)
    slots.give_back("a")
    assert slots.take("a", 2)
    assert slots.most("a") == 2


@pytest.mark.parametrize(("passed", "allowed"), [(59 * 60, False), (60 * 60, True)])
def test_recipients_are_counted_over_the_minutes_of_the_limit(passed: float, *, allowed: bool) -> None:
    now = [0.0]
    slots = Slots(lambda: now[0])
    control = Control(5, 10, "no", per_exchanger=False, per_interface=False, recipients=3, minutes=60)
    assert slots.may_send("a", control, 2)
    assert not slots.may_send("a", control, 2)
    assert slots.may_send("b", control, 5), "one message larger than the limit is not held for ever"
    now[0] = passed
    assert slots.may_send("a", control, 2) is allowed
