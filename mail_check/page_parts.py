"""What all our pages have in common: how templates are filled, what a page may load, and its icon."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dynamic_providers.mailflow.proof import Verdict
from mail_check import words
from mail_check.report import POINTS_AT, SIDES, STATES, WORDS

TEMPLATES = Path(__file__).parent / "templates"
_JOINT = re.compile(r"([.@/_])(?=[^\W\d_])")


def environment(*folders: Path, seen: Callable[[str], str] = words.seen) -> Environment:
    """Templates of these folders, then the common ones. `seen`: what every text of others passes through."""

    def shown(value: object) -> object:
        return seen(value) if type(value) is str else value

    def breakable(text: str) -> Markup:
        """Escaped, with places where a long host name or address may be broken into lines."""
        return Markup(_JOINT.sub(r"\1<wbr>", str(escape(seen(text)))))  # noqa: S704 - escaped just now

    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"moment": words.moment, "counted": words.counted, "breakable": breakable}
    made.globals |= {"WORDS": WORDS, "STATES": STATES, "POINTS_AT": POINTS_AT, "SIDES": SIDES}
    return made


def style(*files: Path) -> Markup:
    """The common style sheet, and these after it."""
    sheets = [path.read_text(encoding="utf-8").strip() for path in (TEMPLATES / "report.css", *files)]
    return Markup("\n".join(sheets))  # noqa: S704 - our own files


def policy(style: str, script: str = "") -> str:
    """Content Security Policy: nothing but this very style sheet and script, and the icon inside the page."""
    scripts = f" script-src {_digest(script)};" if script else ""
    return (
        f"default-src 'none'; style-src {_digest(style)};{scripts} img-src data:; base-uri 'none';"
        " form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_ICONS: dict[Verdict, tuple[str, str]] = {
    "ok": ("%231a6b3c", "M9 16.5l5 5 9-11"),
    "failed": ("%23b3261e", "M10.5 10.5l11 11m0-11l-11 11"),
    "notProven": ("%235c6066", "M9 16h14"),
}


def icon(verdict: Verdict) -> str:
    """The verdict as the browser's tab shows it; in the page, since a browser asks for one otherwise."""
    colour, stroke = _ICONS[verdict]
    return (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
        f"%3Ccircle cx='16' cy='16' r='15' fill='{colour}'/%3E%3Cpath d='{stroke}' fill='none' stroke='white'"
        " stroke-width='3' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"
    )
