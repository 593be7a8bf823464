"""Many stacks at once: who is when at work, what a killed run has left, and how a run is interrupted."""

from __future__ import annotations

import pytest

from tests.fleet.fake_engine import said, step
from tests.fleet.fleet_kit import Fleet, gateway, write


class TestOrder:
    def test_stacks_that_share_a_gateway_go_one_after_the_other(self, fleet: Fleet) -> None:
        write(fleet.folder, "alpha", gateway=gateway("shared"))
        write(fleet.folder, "gamma", gateway=gateway("shared"))
        write(fleet.folder, "hub", kind="gateway", gateway=gateway("shared"))
        assert fleet.run("preview", "--parallel", "8") == 0
        order = [line for line in fleet.engine.order() if "beta" not in line]
        assert order == [
            f"{word} {name} preview" for name in ("hub", "alpha", "gamma") for word in ("begin", "end")
        ]

    @pytest.mark.parametrize(("parallel", "together"), [("1", 1), ("2", 2), ("3", 3)])
    def test_as_many_at_once_as_asked(self, fleet: Fleet, parallel: str, together: int) -> None:
        """Each waits until so many have begun; with fewer at once it would wait for ever."""
        begun = f'until [ "$(grep -c ^begin order)" -ge {together} ]; do sleep 0.01; done'
        for name in ("alpha", "beta", "gamma"):
            fleet.engine.answer(name, "preview", script=begun)
        assert fleet.run("preview", "--parallel", parallel) == 0
        running = most = 0
        for line in fleet.engine.order():
            running += 1 if line.startswith("begin") else -1
            most = max(most, running)
        assert most == together

    def test_one_that_fails_stops_no_other_of_its_gateway(self, fleet: Fleet) -> None:
        for name in ("alpha", "beta", "gamma"):
            write(fleet.folder, name, gateway=gateway("shared"))
        fleet.engine.answer("alpha", "preview", "[1]", code=255)
        assert fleet.states("preview") == {"alpha": "error", "beta": "same", "gamma": "same"}


class TestPendingCreates:
    def test_are_cleared_before_and_said_aloud(self, fleet: Fleet) -> None:
        fleet.engine.pending("alpha", "outbound-rule")
        fleet.engine.answer("alpha", "up", step("create", "outbound-rule"))
        result = fleet.json("up", "alpha", "--yes")
        assert [line.split(" --", 1)[0] for line in fleet.engine.asked()] == ["stack export", "refresh", "up"]
        assert "--clear-pending-creates" in fleet.engine.asked()[1]
        (line,) = result["stacks"][0]["lines"]
        assert line["text"] == "cleared what a killed run had left: outbound-rule"
        assert fleet.run("up", "alpha", "--yes") == 0
        assert line["text"] in fleet.out

    def test_only_where_there_are_any(self, fleet: Fleet) -> None:
        fleet.engine.answer("alpha", "export", '{"version": 3, "deployment": null}')
        fleet.engine.pending("beta")
        assert fleet.run("up", "alpha", "beta", "--yes") == 0
        assert not [line for line in fleet.engine.asked() if "refresh" in line]

    def test_where_they_cannot_be_cleared_nothing_else_is_tried(self, fleet: Fleet) -> None:
        fleet.engine.pending("alpha", "outbound-rule")
        fleet.engine.answer("alpha", "clear", said("error", "m365-secure-email: esa1: gone"), code=255)
        assert fleet.json("up", "alpha", "--yes")["stacks"][0]["says"] == "esa1: gone"
        assert not [line for line in fleet.engine.asked() if line.startswith("up")]


class TestInterrupted:
    ASKED = "trap 'echo asked $asked >> order; asked=again' INT\nkill -INT $PPID\n"
    """The engine is asked to end, since whoever started it has got a Ctrl-C."""

    def test_who_is_at_work_may_end_and_nobody_begins(self, fleet: Fleet) -> None:
        until = "until grep -q asked order; do sleep 0.01; done"
        fleet.engine.answer("alpha", "up", step("update", "route"), code=1, script=self.ASKED + until)
        result = fleet.json("up", "*", "--yes", "--parallel", "1")
        assert result["exitCode"] == 1
        alpha, beta, gamma = result["stacks"]
        assert alpha["says"] == "interrupted. What was done is on record: run it again"
        assert alpha["counts"] == {"update": 1}
        assert (beta["state"], gamma["state"]) == ("not started", "not started")
        assert beta["says"] == "interrupted before its turn came: nothing was done"
        assert fleet.engine.order()[-2:] == ["asked", "end alpha up"]
        assert fleet.err.count("Ctrl-C: nothing new begins") == 1

    def test_the_second_time_it_is_asked_again_the_third_time_killed(self, fleet: Fleet) -> None:
        twice = "until grep -q 'asked again' order; do kill -INT $PPID; sleep 0.05; done\nkill -INT $PPID"
        fleet.engine.answer("alpha", "preview", script=f"{self.ASKED}{twice}\nwhile :; do sleep 1; done")
        (alpha,) = fleet.json("preview", "alpha")["stacks"]
        assert alpha["state"] == "error"
        assert "end alpha preview" not in fleet.engine.order()
        assert "a third time: killed" in fleet.err
