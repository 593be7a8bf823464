"""The gateway driver and clusters: what the settings say against what is there, and members on their own."""

import pytest

from dynamic_providers.gateway.cluster import ClusterModeError, MemberDisconnectedError
from dynamic_providers.gateway.dialogue import (
    OverrideError,
)
from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol.gateway_life import Stack, connection, plugin, wanted
from tests.protocol.gateway_talk import read_routes

new, clustered, estate, cluster = kit.new, kit.clustered, kit.new_estate, kit.cluster


def test_a_clustered_gateway_that_the_settings_call_single(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = connection(cluster)
    single = there.model_copy(update={"cluster": False, "members": there.members[:1]})
    with pytest.raises(ClusterModeError, match="it is in a cluster"):
        read_routes(cluster, monkeypatch, single)


def test_a_single_gateway_that_the_settings_call_clustered(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterModeError, match="cannot go to the cluster's level"):
        read_routes(estate, monkeypatch, connection(estate).model_copy(update={"cluster": True}))


@pytest.mark.parametrize("level", ["machine", "group"])
def test_own_settings_of_a_machine_or_group_are_refused_before_the_first_write(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    name = cluster.gateway.members[1].host if level == "machine" else cluster.gateway.groups[0]
    cluster.gateway.override((level, name), "smtproutes")
    before, start = cluster.gateway.dump(), cluster.journal.mark()
    with plugin(cluster, monkeypatch), pytest.raises(OverrideError, match="without effect there"):
        Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert cluster.journal.count("gateway", "write", since=start) == 0
    assert cluster.gateway.dump() == before


@pytest.mark.parametrize("notice", ["command", "verb"])
def test_no_override_is_seen_where_there_is_none(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch, notice: str
) -> None:
    cluster.gateway.notice = notice
    with plugin(cluster, monkeypatch):
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]


def test_a_member_that_is_not_connected(cluster: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cluster.gateway.dump()
    cluster.gateway.disconnected = {cluster.gateway.members[1].host}
    with plugin(cluster, monkeypatch), pytest.raises(MemberDisconnectedError, match="esa2"):
        Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert cluster.gateway.dump() == before
