"""The release profiles are data: what they must have in common, and where they must differ."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from lab.gateway import commands
from lab.gateway.profile import Profile, Step, load_profile, profile_names
from lab.gateway.server import COMMANDS, LabGateway
from lab.gateway.switches import Switches
from lab.journal import Journal
from tests.profile_stacks import complete_profiles

RELEASES = ("old", "new", "cluster")
OTHERS = sorted(set(complete_profiles()) - set(RELEASES))
OLDER = {"old", "terse", "slow-line"}
# Two questions by their nature: what, and where to (or which way).
TWO_BY_NATURE = {"hostaccess.move", "filters.move", "filters.set", "altsrchost.new"}
# Their order is a published fact, or it is not used by anybody but a person.
ORDER_IS_KNOWN = {
    "commit",
    "sslconfig.inbound",
    "sslconfig.gui",
    "deliveryconfig.setup",
    "destconfig.setup",
    "altsrchost.new",
}
# One question by their nature: which entry, or one text. What is removed may have to be confirmed as well.
SINGLE = {
    "clear",
    "destconfig.pick",
    "destconfig.detail",
    "group.remove",
    "group.rename",
    "policy.name",
    "rcptaccess.pick",
    "filters.new",
    "filters.detail",
    "altsrchost.delete",
    "bvconfig.key",
    "bvconfig.setup",
}


def order(profile: Profile, name: str) -> list[str]:
    return [step.id for step in profile.dialogue(name)]


def common_order(first: list[str], second: list[str]) -> tuple[list[str], list[str]]:
    """Both without what only one of them asks: what differs now differs in order."""
    return [one for one in first if one in second], [one for one in second if one in first]


def test_the_profiles_that_the_suites_need_exist() -> None:
    assert {*RELEASES, "strange", "no-messages-limit"} <= set(profile_names())
    assert len(complete_profiles()) >= 8


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_is_whole(name: str, tmp_path: Path) -> None:
    profile = load_profile(name)
    LabGateway(profile, Journal(), tmp_path)  # its switches, its members and its starting tables are known
    for dialogue in profile.dialogues():
        steps = profile.dialogue(dialogue)
        assert steps, dialogue
        assert all(step.text for step in steps), dialogue
        assert len({step.text for step in steps}) == len(steps), f"{dialogue}: a question twice"
        for step in steps:
            assert_gate_comes_first(dialogue, steps, step)


def assert_gate_comes_first(dialogue: str, steps: list[Step], step: Step) -> None:
    asked = [one.id for one in steps]
    for condition in step.when.split(" and ") if step.when else []:
        gate = condition.partition("=")[0]
        if gate in asked:
            assert asked.index(gate) < asked.index(step.id), f"{dialogue}: {step.id} before {gate}"


def test_every_dialogue_is_spoken_for() -> None:
    asked = set(load_profile("new").dialogues())
    releases = [load_profile(release) for release in complete_profiles()]
    several = {name for name in asked if any(len(order(release, name)) > 1 for release in releases)}
    assert asked - several == SINGLE
    assert all(set(release.dialogues()) == asked for release in releases)


@pytest.mark.parametrize("name", sorted(set(load_profile("new").dialogues()) - SINGLE - ORDER_IS_KNOWN))
def test_releases_differ_in_the_order_of_the_questions(name: str) -> None:
    orders = [order(load_profile(release), name) for release in RELEASES]
    assert max(map(len, orders)) > 1
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert any(len(set(map(tuple, common_order(orders[a], orders[b])))) == 2 for a, b in pairs), orders


@pytest.mark.parametrize(
    "name", sorted(set(load_profile("new").dialogues()) - SINGLE - ORDER_IS_KNOWN - TWO_BY_NATURE)
)
def test_releases_differ_in_the_number_of_questions(name: str) -> None:
    assert len({len(order(load_profile(release), name)) for release in RELEASES}) > 1


@pytest.mark.parametrize("name", sorted(set(load_profile("new").dialogues()) - SINGLE))
def test_other_profiles_ask_in_orders_and_numbers_of_their_own(name: str) -> None:
    """In every dialogue, those too whose order is known; of two questions the releases have both orders."""
    known = [order(load_profile(release), name) for release in RELEASES]
    others = [order(load_profile(other), name) for other in OTHERS]
    if name in ORDER_IS_KNOWN or max(map(len, known)) > 2:
        assert any(other not in known for other in others)
    if name not in TWO_BY_NATURE:
        assert len({len(one) for one in [*known, *others]}) > 1


def test_the_rollback_question_is_missing_somewhere() -> None:
    answers = {
        release: load_profile(release).setting("switches")["rollback_question"] for release in RELEASES
    }
    assert set(answers.values()) == {True, False}


@pytest.mark.parametrize(
    "path",
    [
        "formats.smtproutes",
        "formats.destconfig.detail",
        "formats.hostaccess",
        "formats.rcptaccess",
        "formats.filters.layout",
        "formats.sslconfig",
        "formats.showchanges",
        "texts.no_changes",
        "texts.unknown_verb",
        "texts.commit_refused",
        "texts.filter_refused",
        "steps.destconfig.limit_messages.text",
        "steps.smtproutes.hosts.text",
        "steps.group.hosts.text",
        "steps.rcptaccess.address.text",
        "switches.pager_lines",
    ],
)
def test_what_is_not_known_for_sure_differs_between_releases(path: str) -> None:
    values = [repr(load_profile(release).setting(path)) for release in RELEASES]
    assert len(set(values)) == 3, path


def test_published_words_are_the_same_everywhere() -> None:
    for release in profile_names():
        profile = load_profile(release)
        assert profile.text("nothing_to_commit") == "There is no data to commit."
        sure = next(step for step in profile.dialogue("clear") if step.id == "sure")
        assert sure.text == "Are you sure you want to clear all changes since the last commit?"
        commit = {step.id: step.text for step in profile.dialogue("commit")}
        assert commit["comment"] == "Please enter some comments describing your changes:"
        tls = next(step for step in profile.dialogue("policy.edit") if step.id == "tls")
        assert tls.text == "Do you want to allow encrypted TLS connections?"
        assert [words for _, words in tls.choices][:3] == ["No", "Preferred", "Required"]
        script = profile.dialogue("filters.new")[0]
        assert script.text == "Enter filter script.  Enter '.' on its own line to end."
        domain = profile.dialogue("destconfig.new")[0].text
        assert domain == f"Enter the domain you wish to {'limit' if release in OLDER else 'configure'}."


def test_older_releases_print_what_newer_ones_list_and_detail() -> None:
    verbs = {
        release: {verb.name for verb in load_profile(release).menu("destconfig")} for release in RELEASES
    }
    assert "PRINT" in verbs["old"]
    assert not {"LIST", "DETAIL"} & verbs["old"]
    for release in ("new", "cluster"):
        assert {"LIST", "DETAIL"} <= verbs[release]
        assert "PRINT" not in verbs[release]


def test_one_release_does_not_ask_for_the_messages_limit() -> None:
    for release in profile_names():
        asks = "messages" in order(load_profile(release), "destconfig.new")
        assert asks is (release != "no-messages-limit")


def test_an_unknown_profile_or_switch_is_named() -> None:
    with pytest.raises(LookupError, match=r"«nowhere».*cluster"):
        load_profile("nowhere")
    with pytest.raises(AttributeError, match="«colums»"):
        Switches().set_switches({"colums": 80})


def test_each_command_has_a_room() -> None:
    folder = Path(inspect.getfile(commands)).parent
    for name, handler in COMMANDS.items():
        assert Path(inspect.getfile(handler)).parent == folder, name


REMOVALS = {
    "smtproutes.delete": ("smtproutes", "fabrikam.example"),
    "destconfig.delete": ("destconfig", "fabrikam.example"),
    "rcptaccess.delete": ("listenerconfig edit IncomingMail rcptaccess", "fabrikam.example"),
    "filters.delete": ("filters", "partner_gate"),
}


@pytest.mark.parametrize("release", [*RELEASES, "talkative"])
def test_what_is_not_confirmed_stays(release: str, tmp_path: Path) -> None:
    profile = load_profile(release)
    level = ["clustermode cluster"] if profile.cluster else []
    with LabGateway(profile, Journal(), tmp_path) as gateway:
        before = gateway.dump()
        for sure in ("n", "y") if "sure" in order(profile, "filters.delete") else ("",):
            lines = list(level)
            for dialogue, (command, entry) in REMOVALS.items():
                lines += [f"{command} delete"]
                lines += [sure if question == "sure" else entry for question in order(profile, dialogue)]
            gateway.type_by_hand([*lines, 'commit "a test" Y'])
            assert (gateway.dump() == before) is (sure == "n")
