"""A world for the checks in one object: gateway, tenant and outside, as far as a check can see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from dynamic_providers.exchange.errors import DirectoryRoleMissing
from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.errors import CannotLook, CannotSend
from dynamic_providers.mailflow.mailflow_settings import PROBE_RULE, MailflowSettings
from dynamic_providers.mailflow.message import Probe
from dynamic_providers.mailflow.outside_mailbox import Arrived, Step
from dynamic_providers.mailflow.probe import Answer
from dynamic_providers.mailflow.tracked import Tracked
from dynamic_providers.mailflow.waiting import Patience

DATA1, DATA2, MICROSOFT, ELSEWHERE = "192.0.2.105", "198.51.100.186", "203.0.113.25", "203.0.113.80"
MICROSOFT_MX = "bce-demo-com.mail.protection.outlook.com"
SETTINGS: Mapping[str, Any] = {
    "mailbox": "probe@bce-demo.com",
    "outside": "probe@probe.example",
    "deadline": 1,
    "members": [{"name": "esa1.bce-demo.example", "inbound": DATA1, "outbound": DATA2}],
    "domains": {"bce-demo.com": {"microsoftMx": MICROSOFT_MX, "mx": "gateway"}},
    "mxHosts": ["mx1.bce-demo.example"],
    "senderAddresses": [DATA1, DATA2],
}
PATIENCE = Patience(first=0.001, longest=0.005, say_first=0.01, grace=0.05, resend_first=0.001)


def settings(**changes: Any) -> MailflowSettings:
    """The guide's estate, with a deadline of a second."""
    return MailflowSettings.model_validate({**SETTINGS, **changes})


def rule(name: str, priority: int, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Priority": priority, "State": "Enabled", "Mode": "Enforce", **more}


def right_tenant() -> dict[str, list[dict[str, Any]]]:
    """Rules and connectors as the guide wants them."""
    return {
        "TransportRule": [
            rule(
                "Outbound to Cisco CES",
                0,
                RouteMessageOutboundConnector="Outbound to Cisco CES",
                SetHeaderName="X-OUTBOUND-AUTH",
            ),
            rule("Bypass spam filtering - inbound email from Cisco CES", 1, SenderIpRanges=[DATA1, DATA2]),
        ],
        "InboundConnector": [
            {"Name": "Inbound from Cisco CES", "Enabled": True, "SenderIPAddresses": [DATA1, DATA2]}
        ],
        "OutboundConnector": [
            {"Name": "Outbound to Cisco CES", "Enabled": True, "TlsSettings": "EncryptionOnly"}
        ],
    }


@dataclass
class World:
    """What happens to a message; a test changes what it is about. Late things: `after` looks or attempts."""

    # what the gateway answers a probe, what tracking shows of it, how it delivers
    smtp: tuple[int, str, str] = (250, "ok: Message 124 accepted", "message")
    smtp_timeout: bool = False
    reaches_microsoft: bool = True
    status: str = "Delivered"
    lines: tuple[str, ...] = ()
    delivered_from: str = DATA2
    delivered_to: str = MICROSOFT
    delivery_tls: str = "TLSv1.3"
    group: str = "RELAY_O365"
    tls: str = "TLSv1.3"
    tracking_after: int = 0
    tracking_trouble: str = ""
    # what trace shows
    trace: bool = True
    trace_after: int = 0
    trace_forbidden: bool = False
    trace_status: str = "Delivered"
    trace_failure: str = ""
    connector: str | None = "ours"  # "" none, None: not told
    folder: str = "Inbox"
    rules: tuple[str, ...] | None = None
    to_ip: str = DATA2
    attempts_wrong: int = 0  # so many attempts go wrong first: Microsoft's side is late
    # outside, DNS, the tenant
    arrived_from: str = DATA2
    arrived_by: str = "mx.probe.example"
    header_outside: bool = False
    arrives: bool = True
    can_send: bool = True
    mailbox_folder: Literal["inbox", "junk", "other", "", "forbidden"] = "forbidden"
    mx: tuple[str, ...] = ("mx1.bce-demo.example",)
    tenant: dict[str, list[dict[str, Any]]] = field(default_factory=right_tenant)
    may_write_rules: bool = True
    door_outside: tuple[int, str, str] = (250, "2.6.0 Queued mail for delivery", "message")
    door_own: tuple[int, str, str] = (250, "2.6.0 Queued mail for delivery", "message")
    taken_domains: tuple[str, ...] = ("bce-demo.com", "shop.bce-demo.com")
    # what was seen
    sent: list[Probe] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    made_rules: list[dict[str, Any]] = field(default_factory=list)

    def bench(self, *, imap: bool = True, tracking: bool = True, **changes: Any) -> Bench:
        return Bench(
            settings=settings(**changes),
            smtp=_Smtp(self),
            names=_Names(self),
            tracking=(_Tracking(self),) if tracking else (),
            run=self.run,
            mailbox=_Mailbox(self),
            outside=_Outside(self) if imap else None,
            progress=self.said.append,
            patience=PATIENCE,
        )

    def looked(self, who: str, word: str) -> int:
        key = f"{who} {word}"
        self.looks[key] = self.looks.get(key, 0) + 1
        return self.looks[key]

    def message(self, word: str) -> Probe | None:
        return next((one for one in self.sent if one.word == word), None)

    def too_early(self, word: str) -> bool:
        return int(word.rpartition("n")[2]) <= self.attempts_wrong

    # --- the tenant's cmdlets -------------------------------------------------------------------------------

    def run(self, cmdlet: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        verb, _, noun = cmdlet.partition("-")
        if noun.startswith("MessageTrace"):
            return (
                self._trace(given) if noun == "MessageTraceV2" else self._events(str(given["MessageTraceId"]))
            )
        if verb == "Get":
            return [dict(one) for one in self.tenant[noun]]
        if not self.may_write_rules:
            raise DirectoryRoleMissing("not allowed (403)", where="bcedemo.onmicrosoft.com, " + cmdlet)
        if verb == "New":
            self.made_rules.append(dict(given))
            self.tenant[noun].insert(0, {"State": "Enabled", **given})
        else:
            self.tenant[noun] = [one for one in self.tenant[noun] if one["Name"] != given["Identity"]]
        return []

    def _trace(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self.trace_forbidden:
            raise DirectoryRoleMissing("not allowed (403)", where="Get-MessageTraceV2")
        word = str(given["Subject"])
        message = self.message(word)
        if message is None or not self.trace or self.looked("trace", word) <= self.trace_after:
            return []
        inward = message.recipient.endswith("bce-demo.com")
        return [
            {
                "MessageTraceId": word,
                "MessageId": message.message_id,
                "Status": self.trace_status,
                "Subject": message.subject,
                "FromIP": self.delivered_from if inward else "",
                "ToIP": "" if inward else self.to_ip,
                "Received": "2026-11-23T14:00:00Z",
            }
        ]

    def _events(self, word: str) -> list[dict[str, Any]]:
        message = self.message(word)
        assert message is not None
        inward = message.recipient.endswith("bce-demo.com")
        ours = "Inbound from Cisco CES" if inward else "Outbound to Cisco CES"
        name = ours if self.connector == "ours" else self.connector
        if self.too_early(word) and self.connector == "ours":
            name = ""
        key = (
            "InboundConnectorData"
            if inward
            else "Microsoft.Exchange.Hygiene.TenantOutboundConnectorCustomData"
        )
        blob = f"S:{key}=Name={name};ConnectorType=Partner" if name else "S:ProxyHop1=AM6EUR05"
        data = "" if name is None else f'<root><MEP Name="CustomData" Blob="{blob}"/></root>'
        where = {"Event": "Receive" if inward else "Send external", "Data": data}
        events = [{"Date": "1", "Action": "", "Detail": "", **where}]
        for one in self.rules or ():
            acted = one if one != PROBE_RULE or not self.too_early(word) else "Outbound to Cisco CES"
            detail = f"Transport rule: '{acted}', ID: (0000)"
            events.append(
                {"Date": "2", "Event": "Transport rule", "Action": "", "Detail": detail, "Data": ""}
            )
        if self.trace_failure:
            events.append(
                {"Date": "3", "Event": "Fail", "Action": "", "Detail": self.trace_failure, "Data": ""}
            )
        if inward and self.folder:
            detail = f"The message was successfully delivered to the folder: DefaultFolderType:{self.folder}"
            events.append({"Date": "4", "Event": "Deliver", "Action": "", "Detail": detail, "Data": ""})
        return events


@dataclass
class _Smtp:
    world: World

    def send(self, message: Probe, host: str, address: str, *, stack: str | None = None) -> Answer:
        world = self.world
        world.sent.append(message)
        if address == MICROSOFT:
            own = message.sender == "probe@bce-demo.com"
            code, text, stage = world.door_own if own else world.door_outside
        else:
            code, text, stage = world.smtp
        return Answer(
            code,
            text,
            stage,
            host,
            address,
            tls="TLSv1.3",
            timed_out=world.smtp_timeout and stage == "connect",
        )

    def ask(self, sender: str, recipient: str, host: str, address: str) -> Answer:
        taken = recipient.rpartition("@")[2] in self.world.taken_domains
        code, text, stage = (250, "ok", "message") if taken else (550, "#5.1.0 Address rejected.", "RCPT TO")
        return Answer(code, text, stage, host, address)

    def reaches(self, address: str) -> bool:
        return self.world.reaches_microsoft

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class _Names:
    world: World

    def mail_hosts(self, domain: str) -> list[tuple[int, str]]:
        return [(10, one) for one in self.world.mx]

    def ipv4(self, name: str) -> tuple[str, ...]:
        known = {"mx1.bce-demo.example": DATA1, MICROSOFT_MX: MICROSOFT, "mx.old.example": ELSEWHERE}
        return (known[name],) if name in known else ()


@dataclass
class _Tracking:
    world: World

    def find(self, word: str, since: datetime) -> list[Tracked]:
        world = self.world
        if world.tracking_trouble:
            raise CannotLook(world.tracking_trouble, where="tracking of sma1.example:4431")
        if world.message(word) is None or world.looked("tracking", word) <= world.tracking_after:
            return []
        status, lines = world.status, world.lines
        if world.too_early(word) and status.startswith("Dropped"):
            status, lines = "Delivered", ()
        elif world.too_early(word):
            status, lines = "Dropped By Message Filters", (_dropped("office365_outbound"),)
        return [
            Tracked(
                mids=("123", "124"),
                status=status,
                sender_group=world.group,
                sender_ip="203.0.113.40",
                subject=word,
                at="23 Nov 2026 14:00:00 (GMT +00:00)",
                lines=(*self._lines(), *lines),
            )
        ]

    def _lines(self) -> list[str]:
        world = self.world
        lines = ["Protocol SMTP interface Data 2 (IP 198.51.100.186) on incoming connection (ICID 7) from x"]
        if world.tls:
            lines.append(
                f"Incoming connection (ICID 7) successfully accepted TLS protocol {world.tls} cipher ECDHE."
            )
        if world.delivered_to:
            lines.append(
                "SMTP delivery connection (DCID 9) opened from Cisco IronPort interface "
                f"{world.delivered_from} to IP address {world.delivered_to} on port 25."
            )
        if world.delivery_tls:
            lines.append(
                "Delivery connection (DCID 9) successfully accepted TLS protocol "
                f"{world.delivery_tls} cipher X."
            )
        return lines


def _dropped(name: str) -> str:
    return f"Message 124 aborted: Dropped by filter '{name}'"


def dropped_by(name: str) -> World:
    """A gateway whose filter of that name drops it."""
    return replace(World(), status="Dropped By Message Filters", lines=(_dropped(name),))


@dataclass
class _Mailbox:
    world: World

    def send(self, message: Probe, stack: str | None = None) -> None:
        if not self.world.can_send:
            raise CannotSend("not allowed to send as probe@bce-demo.com (403)", where="Microsoft Graph")
        self.world.sent.append(message)

    def folder(self, mailbox: str, message_id: str) -> Literal["inbox", "junk", "other", ""]:
        folder = self.world.mailbox_folder
        if folder == "forbidden":
            raise CannotLook("not allowed to look into the mailbox (403)", where="Microsoft Graph")
        return folder

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class _Outside:
    world: World

    def find(self, word: str) -> Arrived | None:
        world = self.world
        message = world.message(word)
        if message is None or not world.arrives:
            return None
        last = Step(world.arrived_from, "1.3", f"from esa1 ([{world.arrived_from}]) by {world.arrived_by}")
        return Arrived(message.subject, message.message_id, (last,), header=world.header_outside)
