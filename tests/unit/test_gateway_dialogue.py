"""Questions answered by what they say: more, fewer, reordered, refused, unknown."""

import pytest

from dynamic_providers.gateway.dialogue import (
    AnswerRefusedError,
    Conversation,
    DialogueError,
    NotAskedError,
    NotOfferedError,
    OverrideError,
    UnknownCommandError,
    UnknownQuestionError,
)
from dynamic_providers.gateway.question import Question
from dynamic_providers.gateway.script import Ask, Flag, Pick, Script, Step
from dynamic_providers.gateway.shell import Screen, Waits
from tests.unit.gateway_canned import PROMPT, logged_in, play

MENU = (
    "\r\nChoose the operation you want to perform:\r\n"
    "- NEW - Create a new entry.\r\n- PRINT - Display all entries.\r\n[]> "
)
NEW = Script(
    "tableconfig",
    (
        Step(
            "NEW",
            (
                Ask(r"enter the domain", "a.example", must="use the web interface"),
                Ask(r"messages", "20", must="set it on the page Destination Controls"),
                Ask(r"TLS", Pick("Preferred")),
                Ask(r"TLS", Flag(wanted=True)),
                Ask(r"bounce", Flag(wanted=False)),
            ),
        ),
    ),
)
DOMAIN = "Enter the domain you wish to limit.\r\n[]> "
MESSAGES = "Enter the max messages per connection for a.example.\r\n[50]> "
TLS = "Do you wish to apply a specific TLS setting for this domain? [N]> "
CHOICE = "Do you want to use TLS support?\r\n1. No\r\n2. Preferred\r\n3. Preferred - Verify\r\n[1]> "
BOUNCE = "Do you wish to apply a specific bounce profile to this domain? [N]> "
BACK = ("", PROMPT)
INTERRUPTED = [("\x03", f"^C\r\n{PROMPT}"), ("", f"\r\n{PROMPT}")]


def test_questions_in_the_expected_order() -> None:
    play(
        NEW,
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", MESSAGES),
        ("20", TLS),
        ("Y", CHOICE),
        ("2", BOUNCE),
        ("N", MENU),
        BACK,
    )


def test_questions_in_another_order_and_fewer() -> None:
    play(
        NEW,
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", CHOICE),
        ("2", MESSAGES),
        ("20", MENU),
        BACK,
    )


def test_a_choice_is_picked_by_its_text_whatever_its_number() -> None:
    choices = "1. Required\r\n2. Preferred - Verify\r\n3. No\r\n4. Preferred\r\n[3]> "
    other = f"Do you want to use TLS support?\r\n{choices}"
    play(
        NEW,
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", MESSAGES),
        ("20", TLS),
        ("Y", other),
        ("4", MENU),
        BACK,
    )


def test_yes_and_no_by_what_is_asked() -> None:
    turned = "Do you want to use the default bounce profile for this domain? [Y]> "
    play(
        NEW,
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", MESSAGES),
        ("20", turned),
        ("Y", MENU),
        BACK,
    )


def test_yes_and_no_as_a_list() -> None:
    listed = "Do you wish to apply a specific bounce profile?\r\n1. Yes\r\n2. No\r\n[1]> "
    play(
        NEW,
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", MESSAGES),
        ("20", listed),
        ("2", MENU),
        BACK,
    )


def test_an_unknown_question_is_quoted_and_left_with_ctrl_c() -> None:
    shell, terminal = logged_in(
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", "Which colour shall it have?\r\n[blue]> "),
        *INTERRUPTED,
    )
    with pytest.raises(UnknownQuestionError, match="Which colour shall it have"):
        Conversation(shell, NEW).run()
    assert terminal.done()


def test_an_earlier_line_does_not_make_an_unknown_question_known() -> None:
    question = (
        "The max messages per connection stay at 50.\r\n\r\n"
        "Shall the appliance forget this domain now?\r\n[50]> "
    )
    shell, terminal = logged_in(("tableconfig", MENU), ("NEW", DOMAIN), ("a.example", question), *INTERRUPTED)
    with pytest.raises(UnknownQuestionError, match="forget this domain"):
        Conversation(shell, NEW).run()
    assert terminal.done()


def test_a_question_asked_again_is_a_refusal_that_says_why() -> None:
    shell, terminal = logged_in(
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", "\r\nThis is no valid domain.\r\n\r\n" + DOMAIN),
        *INTERRUPTED,
    )
    with pytest.raises(AnswerRefusedError, match=r"does not take «a.example».*This is no valid domain"):
        Conversation(shell, NEW).run()
    assert terminal.done()


def test_a_question_that_never_came_is_an_error_that_says_where_to_set_it() -> None:
    shell, terminal = logged_in(
        ("tableconfig", MENU), ("NEW", DOMAIN), ("a.example", TLS), ("Y", CHOICE), ("2", MENU), *INTERRUPTED
    )
    with pytest.raises(NotAskedError, match="Set it on the page Destination Controls"):
        Conversation(shell, NEW).run()
    assert terminal.done()


def test_a_choice_that_is_not_there_lists_those_that_are() -> None:
    shell, _ = logged_in(
        ("tableconfig", MENU),
        ("NEW", DOMAIN),
        ("a.example", "TLS?\r\n1. No\r\n2. Required\r\n[1]> "),
        *INTERRUPTED,
    )
    with pytest.raises(NotOfferedError, match="No, Required"):
        Conversation(shell, NEW).run()


def test_printed_text_is_apart_from_questions_and_menus() -> None:
    printed = play(
        Script("tableconfig", (Step("PRINT", (Ask("which", "ALL"),)),)),
        ("tableconfig", "\r\nThere are currently 2 entries configured.\r\n" + MENU),
        ("PRINT", "Enter which to print.\r\n[]> "),
        ("ALL", "a.example  10\r\n\r\nb.example  20\r\n" + MENU),
        BACK,
    )
    assert printed[0].strip() == "There are currently 2 entries configured."
    assert printed[1].split() == ["a.example", "10", "b.example", "20"]


def test_the_right_menu_is_found_by_going_up() -> None:
    inner = (
        "\r\nChoose the operation you want to perform:\r\n- NEW - Add a host.\r\n- PRINT - Display.\r\n[]> "
    )
    head = "\r\nChoose the operation you want to perform:\r\n"
    outer = f"{head}- NEW - Create.\r\n- EDIT - Modify.\r\n- MOVE - Move.\r\n[]> "
    script = Script(
        "hat",
        (
            Step("EDIT", (Ask("name", "G"),)),
            Step("NEW", (Ask("hosts", ".x"),)),
            Step("MOVE", (Ask("which", "G"),), menu=("MOVE",)),
        ),
    )
    play(
        script,
        ("hat", outer),
        ("EDIT", "Enter the name of the group.\r\n[]> "),
        ("G", inner),
        ("NEW", "Enter the hosts to add.\r\n[]> "),
        (".x", inner),
        ("", outer),
        ("MOVE", "Enter which to move.\r\n[]> "),
        ("G", outer),
        ("", PROMPT),
    )


def test_a_menu_without_the_verb() -> None:
    shell, _ = logged_in(("tableconfig", MENU), ("", PROMPT), ("\x03", PROMPT), ("", PROMPT))
    with pytest.raises(NotOfferedError, match="DELETE"):
        Conversation(shell, Script("tableconfig", (Step("DELETE"),))).run()


def test_an_optional_step_is_passed_over() -> None:
    printed = play(
        Script("tableconfig", (Step("DETAIL", optional=True), Step("PRINT"))),
        ("tableconfig", MENU),
        ("PRINT", "a.example\r\n" + MENU),
        BACK,
    )
    assert [text.strip() for text in printed] == ["", "", "a.example"]


def test_an_unknown_command() -> None:
    shell, _ = logged_in(
        ("tableconfig", f"Unknown command or missing feature key: tableconfig\r\n{PROMPT}"),
        ("\x03", PROMPT),
        ("", PROMPT),
    )
    with pytest.raises(UnknownCommandError, match="missing feature key"):
        Conversation(shell, NEW).run()


NOTICE = (
    "\r\nNOTICE: This configuration command has not yet been configured for the current cluster "
    "mode (Machine esa1).\r\n\r\n"
    "What would you like to do?\r\n{choices}[1]> "
)
TO_CLUSTER = NOTICE.format(
    choices='1. Switch modes to edit at mode "Cluster hc1234".\r\n'
    "2. Start a new, empty configuration at the current mode.\r\n"
    "3. Copy settings from another cluster mode to the current mode.\r\n"
)


@pytest.mark.parametrize("after_verb", [False, True])
def test_the_cluster_notice_leads_to_the_cluster_and_the_verb_is_given_again(*, after_verb: bool) -> None:
    notice = [("tableconfig", MENU), ("PRINT", TO_CLUSTER)] if after_verb else [("tableconfig", TO_CLUSTER)]
    shell, terminal = logged_in(
        *notice,
        ("1", MENU),
        ("PRINT", "a.example\r\n" + MENU),
        ("", "(Cluster hc1234)> "),
        prompt="(Machine esa1)> ",
    )
    shell.prompt = "(Cluster hc1234)> "
    assert Conversation(shell, Script("tableconfig", (Step("PRINT"),))).run()[1].strip() == "a.example"
    assert terminal.done()


def test_a_notice_that_leads_elsewhere_is_an_override() -> None:
    elsewhere = NOTICE.format(
        choices='1. Switch modes to edit at mode "Machine esa2".\r\n'
        "2. Start a new, empty configuration here.\r\n"
    )
    shell, _ = logged_in(("tableconfig", elsewhere), *INTERRUPTED)
    with pytest.raises(OverrideError):
        Conversation(shell, NEW).run()


def test_a_question_over_several_paragraphs_belongs_together() -> None:
    text = "Entry added.\n\nEnter the destination hosts, separated by commas.\n\nUSEDNS uses the DNS.\n[]> "
    question = Question.of(Screen(text, Waits.ANSWER))
    assert question.text.startswith("Enter the destination hosts")
    assert question.printed.strip() == "Entry added."


def test_every_dialogue_error_is_one() -> None:
    for error in (
        UnknownQuestionError,
        AnswerRefusedError,
        NotAskedError,
        NotOfferedError,
        OverrideError,
        UnknownCommandError,
    ):
        assert issubclass(error, DialogueError)
