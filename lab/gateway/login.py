"""Logging in to a member: password, keyboard-interactive, public key."""

from __future__ import annotations

from collections.abc import Sequence

import asyncssh

from lab.gateway.gateway import Gateway
from lab.gateway.member import Member
from lab.journal import Broken

KbdIntChallenge = tuple[str, str, str, Sequence[tuple[str, bool]]]


class Login(asyncssh.SSHServer):
    """The authentication of one connection; each try is in the journal."""

    def __init__(self, gateway: Gateway, member: Member) -> None:
        self._gateway = gateway
        self._member = member
        self._user = ""
        self._noticed = False
        self._method: str | None = None
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._record("connect")

    def begin_auth(self, username: str) -> bool:
        self._user = username
        banner = self._gateway.profile.text("banner", host=self._member.host)
        if banner and self._connection is not None:
            self._connection.send_auth_banner(banner)
        return True

    def password_auth_supported(self) -> bool:
        return "password" in self._gateway.auth_methods

    def validate_password(self, username: str, password: str) -> bool:
        return self._outcome("password", self._gateway.may_log_in(username, password))

    def kbdint_auth_supported(self) -> bool:
        return "keyboard-interactive" in self._gateway.auth_methods

    def get_kbdint_challenge(
        self,
        username: str,  # noqa: ARG002 - asyncssh's signature
        lang: str,  # noqa: ARG002 - asyncssh's signature
        submethods: str,  # noqa: ARG002 - asyncssh's signature
    ) -> KbdIntChallenge:
        texts = self._gateway.profile
        place = {"user": self._user, "host": self._member.host}
        prompt = texts.text("keyboard_prompt", **place)
        return (
            texts.text("keyboard_name"),
            texts.text("keyboard_instructions", **place),
            "",
            [(prompt, False)],
        )

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool | KbdIntChallenge:
        if self._noticed and not responses:
            return self._outcome("keyboard-interactive", True)  # noqa: FBT003 - the one truth value it takes
        good = len(responses) == 1 and self._gateway.may_log_in(username, responses[0])
        if good and self._gateway.keyboard_notice:
            self._noticed = True
            days = self._gateway.password_days
            return "", self._gateway.profile.text("password_expires", days=days), "", []
        return self._outcome("keyboard-interactive", good)

    def public_key_auth_supported(self) -> bool:
        return "publickey" in self._gateway.auth_methods

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        good = self._gateway.knows_key(username, key)
        if not good:
            self._outcome("publickey", False)  # noqa: FBT003 - the one truth value it takes
        return good

    def auth_completed(self) -> None:
        if self._method is None:
            self._outcome("publickey", True)  # noqa: FBT003 - as above

    def _outcome(self, method: str, good: bool) -> bool:  # noqa: FBT001 - private, one meaning
        if good:
            self._method = method
        self._record("login" if good else "login-failed", user=self._user, method=method)
        return good

    def _record(self, kind: str, **detail: object) -> None:
        try:
            self._gateway.journal.record(self._member.channel, kind, **detail)
            self._gateway.journal.answering(self._member.channel)
        except Broken:
            assert self._connection is not None, "nothing is recorded before a connection is made"
            self._connection.abort()
