"""The report's page in a real Chromium: what is on the screen, and that no request leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mail_check.page import html
from mail_check.path import drawn
from mail_check.report import WORDS
from tests.chromium import Browser, Page, browser
from tests.report_samples import ALL

pytestmark = pytest.mark.timeout(900)  # Chromium may have to be installed first

QUESTIONS = (Path(__file__).parent / "report_page.js").read_text(encoding="utf-8")
PHONE, WIDE = 390, 1280
SMALLEST_PIXELS = 14
CONTRAST = 4.5  # WCAG 2.2, 1.4.3, AA, for text of any size
SIGN_CONTRAST = 3.0  # 1.4.11, for what is drawn
INBOUND = "document.querySelector('#lane-inbound')"

samples = pytest.mark.parametrize("sample", list(ALL))
widths = pytest.mark.parametrize("width", [PHONE, WIDE])
schemes = pytest.mark.parametrize("scheme", ["light", "dark"])
media = pytest.mark.parametrize("medium", ["screen", "print"])


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where each sample lies, as a file: as a mail's attachment or a pipeline's artifact does."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, make in ALL.items():
        path = folder / f"{name}.html"
        path.write_text(html(make()), encoding="utf-8")
        found[name] = path.as_uri()
    return found


def opened(chromium: Browser, address: str, **how: Any) -> Page:
    """A page with everything unfolded, so that all of it is looked at."""
    page = chromium.open(address, **how)
    page.look(QUESTIONS)
    page.look("look.unfold()")
    return page


@samples
@schemes
@widths
def test_nothing_is_requested_run_or_complained_of(
    chromium: Browser, addresses: dict[str, str], sample: str, scheme: str, width: int
) -> None:
    page = opened(chromium, addresses[sample], width=width, scheme=scheme)
    requested = [one["request"]["url"] for one in page.events("Network.requestWillBeSent")]
    assert requested == [addresses[sample]]
    assert page.events("Log.entryAdded") == []
    assert page.events("Runtime.exceptionThrown") == []
    assert page.look("document.scripts.length + document.images.length + document.links.length") == 0
    assert page.look("document.title") != "owned"
    assert page.look("location.href") == addresses[sample]


def test_its_policy_keeps_the_page_from_loading_and_running_anything(
    chromium: Browser, addresses: dict[str, str]
) -> None:
    page = opened(chromium, addresses["green"], width=WIDE)
    ink = page.look("getComputedStyle(document.body).color")
    page.look("look.attack()")
    page.pipe.wait_until(lambda: len(page.events("Log.entryAdded")) >= 4)
    refused = " ".join(one["entry"]["text"] for one in page.events("Log.entryAdded"))
    for directive in ("img-src", "default-src", "style-src"):
        assert directive in refused
    assert page.look("window.ran === undefined") is True
    assert page.look("getComputedStyle(document.body).color") == ink
    answered = [one["response"]["url"] for one in page.events("Network.responseReceived")]
    assert {url for url in answered if not url.startswith("data:")} == {
        addresses["green"]
    }  # its icon is in it


@samples
@media
@widths
def test_nothing_scrolls_sideways(
    chromium: Browser, addresses: dict[str, str], sample: str, medium: str, width: int
) -> None:
    page = opened(chromium, addresses[sample], width=width, media=medium)
    assert page.look("document.documentElement.scrollWidth") <= width
    assert page.look(f"look.tooWide({width})") == []


@samples
@widths
def test_no_text_is_small_and_none_lies_on_another(
    chromium: Browser, addresses: dict[str, str], sample: str, width: int
) -> None:
    page = opened(chromium, addresses[sample], width=width)
    texts = page.look("look.texts()")
    assert [one["text"] for one in texts if one["size"] < SMALLEST_PIXELS] == []
    assert page.look("look.overlaps()") == []


@samples
@schemes
@media
def test_all_text_and_all_signs_stand_out(
    chromium: Browser, addresses: dict[str, str], sample: str, scheme: str, medium: str
) -> None:
    page = opened(chromium, addresses[sample], width=WIDE, scheme=scheme, media=medium)
    texts, signs = page.look("look.texts()"), page.look("look.signs()")
    assert texts
    assert signs
    assert [one for one in texts if one["contrast"] < CONTRAST] == []
    assert [one for one in signs if one["contrast"] < SIGN_CONTRAST] == []


def test_light_and_dark_are_two_and_print_is_light(chromium: Browser, addresses: dict[str, str]) -> None:
    def paper(**how: str) -> str:
        page = chromium.open(addresses["green"], width=WIDE, **how)
        return str(page.look("getComputedStyle(document.body).backgroundColor"))

    assert paper(scheme="light") != paper(scheme="dark")
    assert paper(scheme="dark", media="print") == "rgb(255, 255, 255)"


@samples
@widths
def test_every_hop_is_seen_with_a_sign_and_a_word(
    chromium: Browser, addresses: dict[str, str], sample: str, width: int
) -> None:
    shown = opened(chromium, addresses[sample], width=width).look("look.hops()")
    wanted = [
        (WORDS[hop.verdict], hop.verdict)
        for lane in drawn(ALL[sample]())
        for station in lane.stations
        for hop in station.hops
    ]
    assert wanted
    assert [(one["word"], one["sign"]) for one in shown] == wanted
    assert all(one["drawn"] and one["name"] for one in shown)


def test_signs_differ_by_shape_not_by_colour_alone(chromium: Browser, addresses: dict[str, str]) -> None:
    shapes = opened(chromium, addresses["many"], width=WIDE).look("look.shapes()")
    assert len(set(shapes)) == 3


def test_the_path_turns_vertical_on_a_phone(chromium: Browser, addresses: dict[str, str]) -> None:
    for width, columns, rows in ((WIDE, 5, 1), (PHONE, 1, 5)):
        page = opened(chromium, addresses["red"], width=width)
        assert page.look(f"[look.columns({INBOUND}), look.rows({INBOUND})]") == [columns, rows]


def test_the_answer_is_right_under_the_failed_hop_and_points_at_it(
    chromium: Browser, addresses: dict[str, str]
) -> None:
    arrow = opened(chromium, addresses["red"], width=WIDE).look(f"look.arrow({INBOUND})")
    assert arrow["aside"] < 6
    assert 0 < arrow["gap"] < 40


def test_a_screen_reader_is_told_the_same(chromium: Browser, addresses: dict[str, str]) -> None:
    page = opened(chromium, addresses["red"], width=WIDE)
    page.tell("Accessibility.enable")
    nodes = [one for one in page.tell("Accessibility.getFullAXTree")["nodes"] if not one.get("ignored")]
    told = [(one["role"]["value"], one.get("name", {}).get("value", "")) for one in nodes]
    assert ("heading", "The way in is broken.") in told
    assert ("image", "Front door: failed") in told
    roles = {role for role, _ in told}
    assert roles >= {"main", "banner", "contentinfo", "table", "columnheader", "rowheader", "list"}
    assert not [name for role, name in told if role == "image" and not name]
    levels = page.look("look.levels()")
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_print_shows_what_is_folded(chromium: Browser, addresses: dict[str, str]) -> None:
    page = chromium.open(addresses["green"], width=800, media="print")
    page.look(QUESTIONS)
    assert page.look("look.folded()") == 0
