"""`bvconfig`: whether the gateway tags the senders of outgoing mail, so that bounces can be told. Read only.

A tagged sender is prvs=…@domain. Bounces to it have to come back through the gateway, and what Microsoft 365
sends past it is not tagged. Source: Cisco's user guide, «Bounce Verification».
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from dynamic_providers.entries import some
from dynamic_providers.errors import register_secret
from dynamic_providers.gateway import destination_controls
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.transaction import Gateway

TABLE = "bvconfig"
READ = Script(TABLE, what="reading the bounce verification")
_KEY = re.compile(r"\b(?:key\b.*\boutgoing|outgoing\b.*\bkey)\b[^:\n]*:[ \t]*(\S+)", re.IGNORECASE)
_NONE = re.compile(r"no(?:ne|t)?\b.*|-", re.IGNORECASE)
_BOUNCE = re.compile(r"bounce.*(?:verif|validat|tag)|(?:verif|tag).*bounce", re.IGNORECASE)
_OFF = re.compile(r"no\b|none|off|disabled", re.IGNORECASE)
_INHERITED = re.compile(r"default", re.IGNORECASE)
_DEFAULT = "default"  # the entry that counts where a domain has none, or says so


def has_key(text: str) -> bool:
    """Whether there is a key to tag with; without one nothing is tagged."""
    found = _KEY.search(text)
    if found is None or _NONE.fullmatch(found.group(1)):
        return False
    register_secret(found.group(1))
    return True


def _read(session: Session) -> bool:
    return has_key(session.run(READ)[0])


def warnings(gateway: Gateway, domains: Iterable[str] = ()) -> Iterator[str]:
    """What tagging does to mail between the gateway and Microsoft 365; nothing where it is not in use.

    `domains`: those whose mail the gateway delivers to Microsoft 365.
    """
    if not gateway.read(TABLE, _read):
        return
    table = gateway.read(destination_controls.TABLE, destination_controls.read)
    tagged = [name for name in table if _tags(table, name)]
    if not tagged:
        return
    yield (
        f"bounce verification is in use (`{TABLE}`; destination controls of {some(tagged)}): what Microsoft "
        "365 sends past the gateway, auto-forwards and journals, is not tagged, and its bounces may be "
        "refused; and while an MX leads to Microsoft, bounces of what the gateway has tagged find no mailbox"
    )
    inbound = sorted(name for name in {*domains} if _tags(table, name))
    if inbound:
        yield (
            "bounce verification tags mail that the gateway delivers to Microsoft 365, too "
            f"({some(inbound)}): its senders look changed there. Switch it off for these domains"
        )


def _tags(table: Mapping[str, list[str]], name: str) -> bool:
    """Whether mail to a domain is tagged."""
    lines = table.get(name, table.get(_DEFAULT, []))
    said = next((re.split("[:=]", line)[-1].strip() for line in lines if _BOUNCE.search(line)), "default")
    if _INHERITED.match(said):
        return name != _DEFAULT and _tags(table, _DEFAULT)
    return not _OFF.match(said)
