"""Microsoft Graph's mail, as far as a probe needs it: send from a mailbox, and look into one.

`POST /v1.0/users/{id}/sendMail`, `GET /v1.0/users/{id}[/mailFolders/{folder}]/messages`, and
`GET /v1.0/users/{id}/mailFolders/{folder}`. The token is for Graph, with Mail.Send or Mail.Read.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.journal import Journal
from lab.tenant.errors import Reply, json_reply
from lab.tenant.graph_domains import GraphDomains
from lab.tenant.mail.configuration import domain_of
from lab.tenant.mail.graph_messages import NotAMessage, as_json, folder_id, from_json, from_mime
from lab.tenant.mail.mailboxes import FOLDERS, Item
from lab.tenant.mail.plane import TenantMail
from lab.tenant.practice import GRAPH_HOST, graph_audiences
from lab.tenant.switches import Switches
from lab.tenant.tokens import Tokens

EQUALS = re.compile(r"(internetMessageId|subject)\s+eq\s+'((?:[^']|'')*)'", re.IGNORECASE)
SEARCH = re.compile(r'"?(?:subject:)?([^"]*)"?', re.IGNORECASE)
SEND, READ = "Mail.Send", ("Mail.Read", "Mail.ReadWrite")
PAGE = 10


@dataclass(frozen=True)
class GraphCall:
    """One request; header names are lower case, `folder` is "" for the whole mailbox."""

    user: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""
    folder: str = ""


class GraphFailure(Exception):
    """An error as Graph words it."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code = status, code


@dataclass
class Graph:
    """Answers for one organization."""

    mail: TenantMail
    tokens: Tokens
    switches: Switches
    journal: Journal
    domains: GraphDomains

    def send_mail(self, call: GraphCall) -> Reply:
        """202 as soon as the message is submitted; what becomes of it is the trace's business."""
        try:
            self._allowed(call, (SEND,))
            self._send(call)
        except GraphFailure as failure:
            return self._failed("sendMail", call, failure)
        self.journal.record("tenant", "graph", call="sendMail", user=call.user, status=202)
        return Reply(202)

    def messages(self, call: GraphCall) -> Reply:
        """The newest messages that `$filter` or `$search` finds, at most `$top`."""
        try:
            self._allowed(call, READ)
            found = self._found(call)
        except GraphFailure as failure:
            return self._failed("messages", call, failure)
        self.journal.record("tenant", "graph", call="messages", user=call.user, status=200)
        rows = [as_json(item, call.query.get("$select")) for item in found]
        context = f"https://{GRAPH_HOST}/v1.0/$metadata#users('{call.user}')/messages"
        return json_reply(200, {"@odata.context": context, "value": rows})

    def folder(self, call: GraphCall) -> Reply:
        """One folder by its well-known name or its id."""
        try:
            self._allowed(call, READ)
            name = self._folder(call)
        except GraphFailure as failure:
            return self._failed("folder", call, failure)
        count = len(self.mail.mailboxes.items(call.user, name))
        shown = {"id": folder_id(call.user.lower(), name), "displayName": FOLDERS[name]}  # type: ignore[index]
        return json_reply(200, {**shown, "totalItemCount": count, "unreadItemCount": count})

    def _allowed(self, call: GraphCall, roles: tuple[str, ...]) -> None:
        """A token of ours, for Graph, with one of these roles, and a mailbox that it may use."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        claims = self.tokens.claims(token) if scheme.lower() == "bearer" else None
        if claims is None or claims["aud"] not in graph_audiences(call.headers.get("host", "")):
            raise GraphFailure(401, "InvalidAuthenticationToken", "Access token validation failure.")
        within = [mailbox.lower() for mailbox in self.switches.graph_mailboxes]
        if not set(roles) & set(claims["roles"]) or (within and call.user.lower() not in within):
            raise GraphFailure(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        local = call.user.partition("@")[0].lower()
        if local in self.switches.no_mailbox or not self._ours(call.user):
            raise GraphFailure(404, "ErrorInvalidUser", f"The requested user '{call.user}' is invalid.")

    def _ours(self, user: str) -> bool:
        return self.mail.configuration().accepts(domain_of(user))

    def _send(self, call: GraphCall) -> None:
        keep = True
        try:
            if call.headers.get("content-type", "").startswith("text/plain"):
                envelope = from_mime(call.user, call.body)
            else:
                given = json.loads(call.body)
                keep = given.get("saveToSentItems") is not False
                envelope = from_json(call.user, given["message"])
        except NotAMessage as refused:
            raise GraphFailure(400, refused.code, str(refused)) from None
        except (ValueError, KeyError, AttributeError, TypeError):
            said = "The payload is not a message."
            raise GraphFailure(400, "RequestBodyRead", said) from None
        if not all("@" in recipient for recipient in envelope.recipients):
            raise GraphFailure(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        self.mail.submit(envelope, keep=keep)

    def _found(self, call: GraphCall) -> list[Item]:
        name = self._folder(call) if call.folder else None
        items = self.mail.mailboxes.items(call.user, name)[::-1]
        try:
            top = int(call.query.get("$top", PAGE))
        except ValueError:
            raise GraphFailure(400, "BadRequest", "Invalid $top.") from None
        return [item for item in items if _meets(item, call.query)][:top]

    def _folder(self, call: GraphCall) -> str:
        for name in FOLDERS:
            if call.folder.lower() == name or call.folder == folder_id(call.user.lower(), name):
                return name
        raise GraphFailure(404, "ErrorItemNotFound", "The specified object was not found in the store.")

    def _failed(self, what: str, call: GraphCall, failure: GraphFailure) -> Reply:
        self.journal.record("tenant", "graph", call=what, user=call.user, status=failure.status)
        inner = {
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": str(uuid.uuid4()),
            "client-request-id": call.headers.get("client-request-id", str(uuid.uuid4())),
        }
        error = {"code": failure.code, "message": str(failure), "innerError": inner}
        return json_reply(failure.status, {"error": error})


def _meets(item: Item, query: Mapping[str, str]) -> bool:
    wanted = query.get("$filter")
    if wanted is not None:
        match = EQUALS.fullmatch(wanted.strip())
        if match is None:
            raise GraphFailure(400, "ErrorInvalidUrlQueryFilter", "The query filter is not understood.")
        shown = item.envelope.message_id if match[1].lower() == "internetmessageid" else item.envelope.subject
        return shown == match[2].replace("''", "'")
    searched = query.get("$search")
    if searched is None:
        return True
    words = SEARCH.fullmatch(searched.strip())
    return words is not None and words[1].lower() in item.envelope.subject.lower()
