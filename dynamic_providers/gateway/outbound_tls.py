"""The ciphers of SMTP connections that the gateway makes: compared with the guide's, or set.

Row n. Guide: the note on «configuração SSL».
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import pulumi
from pulumi.dynamic import CheckResult, ReadResult

from dynamic_providers import report
from dynamic_providers.entries import Entries, Entry, Place, Props, plain
from dynamic_providers.errors import clean_errors
from dynamic_providers.field_types import CipherString, Label
from dynamic_providers.gateway.every_member import told_by_each
from dynamic_providers.gateway.script import Ask, Keep, Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.tables import CIPHERS, GatewayProvider, UnreadableError
from dynamic_providers.managed_resource import ManagedResource, ObjectProvider
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation

TABLE = "sslconfig"
RECOMMENDED = (
    "HIGH:MEDIUM:@STRENGTH:!aNULL:!eNULL:!LOW:!DES:!MD5:!EXP:!PSK:!DSS:!RC2:!RC4:!SEED:!ECDSA:!ADH:!IDEA:!3DES"
    ":!SSLv2:!SSLv3"
)
"""The guide's own string."""

# --- model --------------------------------------------------------------------------------------------------


class OutboundTlsInputs(Model):
    """Which ciphers; whether they are only compared (`check`) or also written (`set`).

    The method stays as it is.
    """

    gateway: Label
    mode: Literal["check", "set"] = "check"
    ciphers: CipherString = RECOMMENDED


# --- parser -------------------------------------------------------------------------------------------------

_LABEL = re.compile(r"^\s*outbound\s+smtp\s+(?:ssl\s+)?ciphers?[^:\n]*:[ \t]*(.*)$", re.IGNORECASE)


def parse(text: str, where: str) -> str:
    """The outbound cipher string: on the label's line, wrapped or not, or one part a line below it."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        label = _LABEL.match(line)
        if label:
            first, below = label.group(1).strip(), _words_below(lines[number + 1 :])
            whole = "".join([first, *below]) if first else ":".join(part.strip(":") for part in below)
            if whole:
                return normal(whole)
    raise UnreadableError(
        "its settings do not say which ciphers outbound SMTP uses",
        where=where,
        fix="please report what `sslconfig` shows, and the release (`version`)",
    )


def _words_below(lines: list[str]) -> list[str]:
    """The following lines of a single word; a label has blanks in it or ends with a colon after one."""
    words = []
    for line in lines:
        word = line.strip()
        if not word or re.search(r"\s", word):
            break
        words.append(word)
    return words


def normal(ciphers: str) -> str:
    """One separator, as in the guide."""
    return ":".join(part for part in re.split(r"[:, ]+", ciphers) if part)


# --- dialogue -----------------------------------------------------------------------------------------------

READ = Script(TABLE, what="reading the SSL settings")
_KEPT = r"\b(?:methods?|protocols?|versions?|renegotiation|FIPS)\b"


def write_script(ciphers: str) -> Script:
    """The dialogue that sets the ciphers and keeps everything else."""
    page = "set them on the page System Administration > SSL Configuration, then run this again"
    outbound = Step("OUTBOUND", (Ask(r"\bciphers?\b", ciphers, must=page), Ask(_KEPT, Keep(), again=True)))
    return Script(TABLE, (outbound,), what="writing the outbound SMTP ciphers")


# --- provider -----------------------------------------------------------------------------------------------


def _read(session: Session) -> str:
    return parse(session.run(READ)[0], session.name)


class OutboundTlsProvider(GatewayProvider, ObjectProvider):
    """In mode `check` it owns nothing and only warns; in mode `set` it owns the cipher string."""

    label = "outbound ciphers"
    model = OutboundTlsInputs
    identity = ("gateway",)
    key_field = "gateway"
    settings = frozenset({"mode"})
    take_over_key = "ciphers"
    table_order = CIPHERS

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        return {key: {"ciphers": self._gateway(place).read(TABLE, _read)} for key in keys}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        scripts = [write_script(str(entry["ciphers"])) for entry in changes.values() if entry]

        def stage(session: Session) -> None:
            for script in scripts:
                session.run(script)

        self._change(place, TABLE, stage, changes, context, named="outbound SMTP ciphers")

    def entries(self, props: Props) -> Entries:
        return {} if props.get("mode") == "check" else super().entries(props)

    def with_entries(self, props: Props, entries: Entries) -> Props:
        return dict(props) if props.get("mode") == "check" else super().with_entries(props, entries)

    def _observed(self, inputs: Props) -> Iterator[Observation]:
        """In mode `check`, too, what the gateway uses; other ciphers are no difference there."""
        for one in super()._observed({**inputs, "mode": "set"}):
            noted = inputs["mode"] == "check" and one.state == "differs"
            yield replace(one, state="noted") if noted else one

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """As for every resource; at first contact, mode `check` says where the gateway uses other ciphers."""
        result = super().check(_olds, news)
        if not _olds and not result.failures:
            self._compare(plain(result.inputs))
        return result

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """As for every resource; mode `check` compares again with each refresh."""
        self._compare(plain(props))
        return super().read(id_, props)

    def _compare(self, props: Props) -> None:
        if props.get("mode") != "check":
            return
        for line in told_by_each(lambda: self._other_ciphers(props)):
            report.warning(f"{props['gateway']}: {line}")

    def _other_ciphers(self, props: Props) -> Iterator[str]:
        theirs = self.live(props, ["x"])["x"]["ciphers"]
        if theirs != normal(props["ciphers"]):
            yield (
                f"outbound SMTP ciphers are «{theirs}», the guide's are «{props['ciphers']}»; the setting "
                "`outbound.ciphers: set` writes them"
            )

    def _refused(self, news: Props, fresh: Entries, live: Entries, before: Entries) -> list[str]:
        return []  # there always are some, and mode `set` is the word to replace them


# --- resource -----------------------------------------------------------------------------------------------


class OutboundTls(ManagedResource, module="gateway", name="OutboundTls"):
    """The outbound SMTP ciphers: mode check or set, ciphers."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(OutboundTlsProvider(), name, props, opts)
