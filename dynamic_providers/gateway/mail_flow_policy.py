"""TLS in the mail flow policy of mail from Microsoft 365; only this attribute is ours.

Row i. Guide: «Ativar TLS».
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import pulumi

from dynamic_providers import report
from dynamic_providers.entries import MISSING, Difference, Entries, Entry, Place, Props
from dynamic_providers.field_types import Label, Listener, PolicyName
from dynamic_providers.gateway import listeners
from dynamic_providers.gateway.hat import NAME, Hat
from dynamic_providers.gateway.script import Ask, Flag, Keep, Pick, Script, Step
from dynamic_providers.gateway.sender_group import TABLE, PolicyMissingError, read_hat, refuse_missing_policy
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.tables import POLICY, GatewayProvider, unreadable
from dynamic_providers.managed_resource import ManagedResource, ObjectProvider
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation

# --- model --------------------------------------------------------------------------------------------------


class MailFlowPolicyInputs(Model):
    """A policy's TLS. Client certificates and SMTP authentication stay as they are."""

    gateway: Label
    listener: Listener
    name: PolicyName
    tls: Literal["Off", "Preferred", "Required"]


# --- parser -------------------------------------------------------------------------------------------------

_TLS = {
    "off": "Off",
    "no": "Off",
    "none": "Off",
    "on": "Preferred",
    "preferred": "Preferred",
    "required": "Required",
    "require": "Required",
}


def entry_of(table: Hat, name: str, where: str) -> Entry | None:
    """The policy's own TLS; none where it uses the default."""
    tls = _tls_of(table.policies[name].parameters, name, where)
    return {"tls": tls} if tls else None


def default_of(table: Hat, where: str) -> str:
    """The TLS of a policy that has none of its own."""
    return _tls_of(table.defaults, "default", where) or "Off"  # as the gateway comes


def _tls_of(parameters: Mapping[str, str], name: str, where: str) -> str:
    values = [
        value
        for key, value in parameters.items()
        if re.fullmatch(r"(?:use |allow )?tls(?: connections)?", key)
    ]
    if not values or re.match(r"(?:use )?default\b", values[0], re.IGNORECASE):
        return ""
    word = values[0].lower().strip()
    if word not in _TLS:
        raise unreadable(where, NAME, f"{name}: tls = {values[0]}")
    return _TLS[word]


# --- dialogue -----------------------------------------------------------------------------------------------

_PAGE = "set TLS on the page Mail Policies > Mail Flow Policies, then run this again"
_NEAR_TLS = r"mandatory|address list|certificate|SMTP AUTH|require TLS to"  # they stay as they are
_PARAMETERS = (  # what else a policy is asked for; a question about none of these is one that nobody knows
    r"behaviou?r|message size|concurrent|per (?:connection|session|message|hour)|recipients|banner|response"
    r"|host ?name|sender ?base|reputation|flow control|rate limit|group hosts|significant bits|harvest|DHAP"
    r"|spam|virus|malware|graymail|outbreak|threat|domain ?key|DKIM|SPF|SIDF|DMARC|envelope sender"
    r"|exception table|bounce|untagged|signing|verification|authentication"
)
_CHOICES = {"Off": (r"no", r"off"), "Preferred": (r"preferred",), "Required": (r"required",)}


def write_script(listener: str, name: str, entry: Entry | None, default: str) -> Script:
    """The dialogue that edits the policy: every other parameter that we know is left as it is preset.

    Without an entry the policy gets the default; its value, where a release offers no choice of that name.
    """
    choices = _CHOICES[str(entry["tls"])] if entry else (r".*\bdefault\b.*", *_CHOICES[default])
    edit = Step(
        "EDIT",
        (
            Ask("", Pick(r"(?:edit )?(?:mail flow )?policy")),
            Ask(r"policy\b.*\b(?:name|number|edit)|\b(?:name|number|edit)\b.*policy", name, must=_PAGE),
            Ask(_NEAR_TLS, Keep(), again=True),
            Ask(r"\bTLS\b", Pick(*choices), must=_PAGE),
            Ask(r"\bTLS\b.*\bdefault\b|\bdefault\b.*\bTLS\b", Flag(wanted=entry is not None)),
            Ask(_PARAMETERS, Keep(), again=True),
        ),
        menu=listeners.HAT_MENU,
    )
    return listeners.script(listener, "HOSTACCESS", (edit,), f"writing the mail flow policy {name}")


# --- provider -----------------------------------------------------------------------------------------------


class MailFlowPolicyProvider(GatewayProvider, ObjectProvider):
    """Owns one attribute of one policy; where the policy uses the default, the attribute is not there."""

    label = "mail flow policy"
    model = MailFlowPolicyInputs
    identity = ("gateway", "listener", "name")
    take_over_key = "mailFlowPolicy"
    missing = "has no TLS of its own"
    table_order = POLICY

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        gateway, listener = self._gateway(place), str(place["listener"])
        table = read_hat(gateway, listener)
        found: Entries = {}
        for key in keys:
            refuse_missing_policy(table, key, listener, gateway.name)
            entry = entry_of(table, key, gateway.name)
            if entry is not None:
                found[key] = entry
        return found

    def _observed(self, inputs: Props) -> Iterator[Observation]:
        """As for every resource; the policy itself may be missing, too."""
        try:
            yield from super()._observed(inputs)
        except PolicyMissingError as error:
            place = self._place(inputs)
            yield Observation(
                self._where(place), self._called(place, place["name"]), "", "absent", error.what
            )

    def is_left(self, place: Place, key: str, entry: Entry) -> bool:
        return bool(entry["tls"] != self._default(place))  # some releases can only write the default's value

    def _default(self, place: Place) -> str:
        gateway = self._gateway(place)
        return default_of(read_hat(gateway, str(place["listener"])), gateway.name)

    def _name_what_no_line_shows(self, found: list[Difference], owned: Entries) -> None:
        """The policy is never gone here, only its own TLS."""
        for one in found:
            if one.attribute == MISSING and one.key in owned:
                report.info(f"{self.label} «{one.key}»: its TLS is the listener's default, not its own")

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        listener, default = str(place["listener"]), self._default(place)
        scripts = [write_script(listener, name, entry, default) for name, entry in changes.items()]

        def stage(session: Session) -> None:
            for script in scripts:
                listeners.about(session, listener, lambda script=script: session.run(script))  # type: ignore[misc]

        self._change(place, f"{TABLE}:{listener}", stage, changes, context)


# --- resource -----------------------------------------------------------------------------------------------


class MailFlowPolicy(ManagedResource, module="gateway", name="MailFlowPolicy"):
    """A mail flow policy's TLS: listener, name, tls."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(MailFlowPolicyProvider(), name, props, opts)
