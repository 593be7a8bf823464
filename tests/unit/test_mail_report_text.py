"""Page, Markdown and JSON: what they say, and that nothing of others' text is more than text in them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from dynamic_providers.errors import register_secret
from mail_check import words
from mail_check.markdown import markdown
from mail_check.page import html
from mail_check.report import LockDownView, Report
from tests import report_samples as samples
from tests.report_samples import ALL, HOSTILE, hop, proof, report

VOID = {"meta", "link", "wbr"}


class Page(HTMLParser):
    """What a browser reads: elements with their attributes, and all text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.verbatim: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "samp":
            self.verbatim.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data
        if self.open and self.open[-1] == "samp":
            self.verbatim[-1] += data

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


@pytest.fixture(params=list(ALL))
def made(request: pytest.FixtureRequest) -> Report:
    name: str = request.param
    return ALL[name]()


def test_the_page_is_whole_and_has_no_element_that_could_load_or_run_something(made: Report) -> None:
    page = Page(html(made))
    assert not page.open
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base", "a", "use", "image"}
    assert [one["rel"] for one in page.named("link")] == ["icon"]
    attributes = {name for _, some in page.elements for name in some}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "style")}


def test_only_the_pages_own_style_is_allowed_by_its_policy(made: Report) -> None:
    source = html(made)
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    policy = next(one["content"] for one in Page(source).named("meta") if one.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"url\(|@import|@font-face", style.group(1))


def test_the_page_says_all_of_every_proof(made: Report) -> None:
    text = Page(html(made)).text
    for one in made.proofs:
        for hop_ in one.hops:
            shown = (hop_.name, hop_.says, hop_.cause, hop_.advice, *hop_.evidence, *hop_.evidence.values())
            for part in shown:
                assert words.seen(part) in text


def test_a_failure_is_told_with_answer_cause_and_advice() -> None:
    page = Page(html(samples.red()))
    assert page.verbatim.count(samples.STOPPED.says) == 2, "beside the path, and in the evidence"
    text = page.text
    assert "The way in is broken." in text
    assert samples.STOPPED.cause in text
    assert samples.STOPPED.advice in text
    assert "Older than 365 days." in text


def test_hostile_text_is_shown_as_it_is_with_what_cannot_be_seen_written_out() -> None:
    text = Page(html(samples.hostile())).text
    for one in HOSTILE:
        assert words.seen(one) in text
    assert "\\u202egpj.exe\\u202c" in text
    assert not re.search(r"[\x00\x1b\u202a-\u202e]", text)


def test_a_known_secret_is_masked_wherever_it_comes_from() -> None:
    register_secret("Zk3secretvalue9")
    leaking = report(proof("outbound", hop("gateway: filter", "X-OUTBOUND-AUTH: Zk3secretvalue9", "failed")))
    for text in (html(leaking), markdown(leaking), json.dumps(leaking.as_json())):
        assert "Zk3secretvalue9" not in text


def test_markdown_tells_the_same() -> None:
    told = markdown(samples.red())
    assert told.startswith("# ✘ failed: The way in is broken")
    assert samples.STOPPED.says in told
    assert "What to do:" in told
    assert "| e | Cisco Secure Email |" in told
    assert "Past the gateway in 10 days" in told


def test_nothing_hostile_is_markup_in_markdown() -> None:
    outside = re.sub(
        r"^(`{3,})text\n.*?\n\1$", "", markdown(samples.hostile()), flags=re.DOTALL | re.MULTILINE
    )
    for mark in ("<", ">", "[", "]", "`", "*", "|", "_"):
        bare = re.findall(rf"(?<!\\){re.escape(mark)}", outside)
        own = {"*": 4 * len(samples.hostile().objects)}.get(mark, 0)
        if mark == "|":
            continue  # counted below, a row at a time
        assert len(bare) == own, mark
    for line in outside.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (5, 7)
    assert "https://" not in outside


@pytest.mark.parametrize(
    "start", ["- item", "+ item", "1. item", "12. item", "# heading", "> quote", "=== line"]
)
def test_a_domain_at_the_start_of_a_line_begins_no_block(start: str) -> None:
    told = markdown(report(proof("inbound", hop("gateway: accepted", "x", "failed"), domain=start)))
    assert not [line for line in told.splitlines() if line.startswith(start)]


def test_addresses_are_no_links_in_markdown() -> None:
    said = hop("gateway: accepted", "x", cause="see www.evil.example, https://evil.example, a@evil.example")
    told = markdown(report(proof("inbound", said.model_copy(update={"verdict": "failed"}))))
    assert "www\\.evil" in told
    assert "https:&#8203;//evil" in told
    assert "a\\@evil" in told


def test_a_verbatim_answer_cannot_close_its_fence() -> None:
    says = "550 ```\n# not a heading\n````"
    told = markdown(report(proof("inbound", hop("gateway: accepted", says, "failed")))).splitlines()
    start = told.index("`````text")
    assert told[start : start + 5] == ["`````text", "550 ```", "# not a heading", "````", "`````"]


def test_json_holds_verdict_and_proofs_as_they_were_found(made: Report) -> None:
    read = json.loads(json.dumps(made.as_json()))
    assert read["format"] == 1
    assert read["verdict"] == made.verdict
    assert [one["hops"] for one in read["proofs"]] == [
        [hop_.model_dump(mode="json", by_alias=True) for hop_ in one.hops] for one in made.proofs
    ]


@pytest.mark.parametrize(
    ("checks", "verdict", "says"),
    [
        ("direct inbound outbound forged sideEntrance", "ok", "Mail flows, in and out."),
        ("direct outbound", "ok", "The way in is ready, mail flows out."),
        ("direct", "ok", "The way in is ready."),
        ("inbound", "ok", "Mail flows in."),
        ("forged sideEntrance", "ok", "Forged mail is dropped, and the side entrance is shut."),
        ("direct inbound", "failed", "The way in is broken."),
        ("inbound outbound forged", "failed", "Both ways are broken, and forged mail gets through."),
        ("outbound", "notProven", "The way out is not proven."),
        ("sideEntrance", "notProven", "It is not proven that the side entrance is shut."),
    ],
)
def test_the_headline_says_what_matters(checks: str, verdict: str, says: str) -> None:
    found = [
        proof(check, hop("gateway: accepted", "x", verdict))  # type: ignore[arg-type]
        for check in checks.split()
    ]
    assert report(*found).headline == says


def test_an_entrance_that_is_open_as_set_is_no_open_question() -> None:
    found = proof("sideEntrance", hop("side entrance: outside sender", "open, as set", "notProven"))
    made = report(found, lock_down=LockDownView(wanted="open"))
    assert made.headline == "The side entrance is open, as set."
    assert report().headline == "Nothing was checked."
