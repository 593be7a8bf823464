"""What a login and a session know of their gateway: configuration, users, members, switches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from lab.gateway.keys import practice_key
from lab.gateway.member import Commit, Member
from lab.gateway.pending import Change
from lab.gateway.profile import Profile
from lab.gateway.state import State
from lab.gateway.switches import Switches
from lab.journal import Journal


class Gateway(Switches):
    """A gateway without its doors. Its switches are its attributes."""

    def __init__(self, profile: Profile, journal: Journal, state: State, private_key_path: Path) -> None:
        super().__init__()
        self.profile = profile
        self.journal = journal
        self.state = state
        self.user = "admin"
        self.password = "Practice-Gateway-7!"
        self.files: dict[str, tuple[str, object]] = {}
        self.commits: list[Commit] = []
        self.members = [Member(**member) for member in profile.data["estate"]["members"]]
        self.private_key_path = private_key_path
        private_key_path.parent.mkdir(parents=True, exist_ok=True)
        self._key = practice_key(private_key_path)

    def accept(self, member: Member, user: str, new: State, comment: str, changes: Sequence[Change]) -> None:
        """A commit takes effect."""
        version = self.state.version + 1
        self.state = copy.deepcopy(new)
        self.state.version = version
        keys = tuple((change.table, change.key) for change in changes)
        self.commits.append(Commit(member.host, user, comment, keys))

    def group_of(self, host: str) -> str:
        """The group that a member is in; nothing for a name that is no member's."""
        return next((member.group for member in self.members if member.host == host), "")

    @property
    def groups(self) -> list[str]:
        """The cluster's groups."""
        return sorted({member.group for member in self.members})

    def may_log_in(self, user: str, password: str) -> bool:
        """Whether these credentials are right."""
        return user == self.user and password == self.password

    def knows_key(self, user: str, key: asyncssh.SSHKey) -> bool:
        """Whether the user may log in with that key."""
        return user == self.user and key.public_data == self._key.public_data
