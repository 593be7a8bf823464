"""Tracked messages in the form that the HTTPS API gives them, older and newer releases' alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any

from lab.gateway.mail.tracking import DROPPED, Tracked
from lab.gateway.switches import Switches
from lab.mail.envelope import domain_of

Json = dict[str, Any]
NOTHING = "N/A"


def timestamp(moment: float, offset: float) -> str:
    """`13 Aug 2021 14:14:59 (GMT -04:00)`; at Greenwich `(GMT)`. `offset` in hours."""
    local = datetime.fromtimestamp(moment, UTC) + timedelta(hours=offset)
    minutes = round(abs(offset) * 60)
    zone = f" {'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}" if offset else ""
    return f"{local:%d %b %Y %H:%M:%S} (GMT{zone})"


def item(message: Tracked, moment: float, switches: Switches) -> Json:
    """A message in the list of a search, as it was known at `moment`."""
    arrival, recipients = message.arrival, message.recipients
    statuses = {str(mid): status for mid, status in message.statuses(moment).items()}
    by_mid = switches.tracking_status == "by_mid"
    mids = sorted(recipients)
    found: Json = {
        "hostName": message.gateway,
        "friendly_from": [parseaddr(message.header_from)[1] or message.sender],
        "isCompleteData": NOTHING,
        "messageStatus": statuses if by_mid else message.status(moment),
        "recipientMap": {str(mid): some for mid, some in recipients.items()},
        "senderIp": arrival.peer,
        "mailPolicy": [NOTHING if DROPPED in statuses.values() else "DEFAULT"],
        "senderGroup": arrival.sender_group,
        "subject": message.subject,
        "mid": mids,
        "senderDomain": domain_of(message.sender),
        "finalSubject": {str(mid): message.subject for mid in mids},
        "direction": _direction(message),
        "icid": arrival.icid,
        "morDetails": {},
        "replyTo": NOTHING,
        "timestamp": timestamp(message.started, switches.tracking_utc_offset),
        "messageID": {str(mid): message.message_id for mid in mids},
        "verdictChart": {str(mid): "0" for mid in mids},
        "recipient": message.everybody,
        "sender": message.sender,
        "serialNumber": message.serial,
        "allIcid": [arrival.icid],
        "sbrs": "None",
    }
    return found | ({"dcid": list(message.dcids)} if message.dcids else {})


def details(message: Tracked, moment: float, switches: Switches) -> Json:
    """Everything about one message, its processing lines too."""
    arrival = message.arrival
    verified = f"{arrival.host} (verified)" if arrival.host else "unknown (unverified)"
    lines = message.lines_until(moment)
    return {
        "attachments": "",
        "hostName": f"{message.gateway} ({message.address})",
        "direction": _direction(message),
        "isCompleteData": True,
        "messageStatus": message.status(moment),
        "mailPolicy": [NOTHING if message.status(moment) == DROPPED else "DEFAULT"],
        "senderGroup": arrival.sender_group,
        "subject": message.subject,
        "showSummaryTimeBox": True,
        "mid": sorted(message.recipients),
        "sendingHostSummary": {
            "reverseDnsHostname": verified,
            "ipAddress": arrival.peer,
            "sbrsScore": "None",
        },
        "smtpAuthId": "",
        "midHeader": message.message_id,
        "timestamp": timestamp(message.started, switches.tracking_utc_offset),
        "messageSize": f"{message.size / 1024:.2f} (KB)",
        "showDLP": False,
        "showURL": False,
        "showAMP": False,
        "recipient": message.everybody,
        "sender": message.sender,
        "summary": [
            {
                "timestamp": timestamp(line.at, switches.tracking_utc_offset),
                "description": line.text,
                "lastEvent": line is lines[-1],
            }
            for line in lines
        ],
        "allIcid": [arrival.icid],
        "headerFrom": parseaddr(message.header_from)[1],
    }


def _direction(message: Tracked) -> str:
    return "outgoing" if message.arrival.outgoing else "incoming"


def status_word(status: str) -> str:
    """A status as `deliveryStatus` names it: DROPPED_BY_MESSAGE_FILTERS."""
    return re.sub(r"\W+", "_", status).upper()
