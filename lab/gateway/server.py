"""The lab's gateway: its members as SSH servers, their shared committed configuration, and its switches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import asyncssh

from lab.gateway.commands.bvconfig import bvconfig
from lab.gateway.commands.cluster import clusterconfig, clustermode
from lab.gateway.commands.commit import clear, commit, commitdetail, showchanges
from lab.gateway.commands.deliveryconfig import altsrchost, deliveryconfig
from lab.gateway.commands.destconfig import destconfig
from lab.gateway.commands.filters import filters
from lab.gateway.commands.general import leave, show_help, version, who
from lab.gateway.commands.listenerconfig import listenerconfig
from lab.gateway.commands.smtproutes import smtproutes
from lab.gateway.commands.sslconfig import sslconfig
from lab.gateway.dump import dump_state
from lab.gateway.gateway import Gateway
from lab.gateway.hand import type_lines
from lab.gateway.jump import JumpHost
from lab.gateway.keys import host_key
from lab.gateway.listening import Door, Loop, Options, drop_all
from lab.gateway.login import Login
from lab.gateway.member import Member, Snapshot
from lab.gateway.pending import Change
from lab.gateway.profile import Profile
from lab.gateway.session import Command, Session
from lab.gateway.starting import starting_state
from lab.gateway.state import Level, State
from lab.gateway.switches import Switches
from lab.journal import Broken, Journal

if TYPE_CHECKING:
    from lab.gateway.mail.appliance import Identities
    from lab.gateway.mail.service import Contexts, GatewayMail
    from lab.mail.network import Network

SHA1 = {"kex_algs": ["diffie-hellman-group14-sha1"], "signature_algs": ["ssh-rsa"]}

COMMANDS: dict[str, Command] = {
    "altsrchost": altsrchost,
    "bvconfig": bvconfig,
    "clear": clear,
    "clusterconfig": clusterconfig,
    "clustermode": clustermode,
    "commit": commit,
    "commitdetail": commitdetail,
    "deliveryconfig": deliveryconfig,
    "destconfig": destconfig,
    "exit": leave,
    "filters": filters,
    "help": show_help,
    "listenerconfig": listenerconfig,
    "quit": leave,
    "showchanges": showchanges,
    "smtproutes": smtproutes,
    "sslconfig": sslconfig,
    "version": version,
    "who": who,
}


class LabGateway(Gateway):
    """One gateway: standalone or a cluster.

    `folder` receives the practice key pairs; `ports` may fix a member's or the jump host's port by host name.
    """

    def __init__(
        self, profile: Profile, journal: Journal, folder: Path, ports: dict[str, int] | None = None
    ) -> None:
        super().__init__(profile, journal, starting_state(profile), folder / "gateway-key")
        self.sessions: list[Session] = []
        self.errors: list[Exception] = []
        self.mail: GatewayMail | None = None
        self._ports = ports or {}
        self._loop: Loop | None = None
        self._doors: list[Door] = []
        self._rsa: asyncssh.SSHKey | None = None
        jump = profile.data["estate"].get("jump")
        self.jump: JumpHost | None = None
        if jump:
            self.jump = JumpHost(jump, journal, folder, self.local_port, self.errors.append)
        self.reset()

    # Life.

    def connect(
        self,
        network: Network,
        contexts: Contexts,
        tracking_port: int = 0,
        *,
        identities: Identities | None = None,
    ) -> GatewayMail:
        """Put the gateway into the emulated internet: from `start` on it takes and delivers mail.

        `contexts` gives a server's TLS context for host names, `identities` a client's; without, the gateway
        has no certificate to show where it delivers.
        """
        from lab.gateway.mail.service import GatewayMail

        self.mail = GatewayMail(self, network, contexts, tracking_port, identities)
        return self.mail

    def start(self) -> None:
        """Listen; returns when every member and the jump host can be reached."""
        self._loop = Loop("lab-gateway")
        for member in self.members:
            port, options = self._ports.get(member.host, 0), partial(self._options, member)
            door = Door(self._loop, port, options, self.errors.append)
            member.local_port = door.port
            self._doors.append(door)
            self._loop.run(door.open())
        if self.jump is not None:
            self.jump.start(self._loop, self._ports.get(self.jump.host, 0))
        if self.mail is not None:
            self.mail.start()

    def stop(self) -> None:
        """Cut everything and end the thread."""
        if self._loop is None:
            return
        if self.commit_hold is not None:
            self.commit_hold.set()
        for door in self._doors:
            self._loop.run(door.close())
        if self.jump is not None:
            self.jump.stop()
        self._loop.close()
        self._doors.clear()
        self._loop = None
        if self.mail is not None:
            self.mail.stop()
        if self.errors:
            raise ExceptionGroup("the lab's gateway is broken", self.errors)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def reset(self) -> None:
        """All switches back to what the profile says."""
        fresh = Switches()
        for item in fields(Switches):
            setattr(self, item.name, getattr(fresh, item.name))
        self.set_switches(copy.deepcopy(self.profile.data.get("switches", {})))
        if self.mail is not None:
            self.mail.reopen()

    # Configuration.

    def snapshot(self) -> Snapshot:
        """The committed configuration, to `restore` later."""
        return Snapshot(copy.deepcopy(self.state), dict(self.files))

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; sessions with pending changes see it as another's commit."""
        version = self.state.version + 1
        self.state = copy.deepcopy(snapshot.state)
        self.state.version = version
        self.files = dict(snapshot.files)
        if self.mail is not None:
            self.mail.clear()
            self.mail.sync()

    def accept(self, member: Member, user: str, new: State, comment: str, changes: Sequence[Change]) -> None:
        super().accept(member, user, new, comment, changes)
        if self.mail is not None:
            self.mail.sync()

    def override(self, level: Level, command: str) -> None:
        """Give a group or a machine a copy of the cluster's settings for a command, committed at once."""
        self.state.override(level, command, self.state.base)
        self.state.version += 1
        if self.mail is not None:
            self.mail.sync()

    def dump(self) -> str:
        """The committed configuration as stable text, secrets hashed."""
        return dump_state(self.state, self.profile.cluster)

    # Access.

    def local_port(self, host: str) -> int:
        """Where a member listens on 127.0.0.1; 0 for a name that is no member's."""
        return next((member.local_port for member in self.members if member.host == host.lower()), 0)

    def type_by_hand(self, lines: Sequence[str], member: int = 0) -> str:
        """Log in as an administrator does, type the lines, hang up; the transcript. `^C` is Ctrl-C."""
        chosen = self.members[member]
        assert self._loop is not None, "start the gateway first"
        work = type_lines(chosen.local_port, self.user, self.password, lines, self.prompts)
        return self._loop.run(work, timeout=120)

    @property
    def prompts(self) -> str:
        """A regular expression for the end of any question or main prompt."""
        question = r"\[[^\r\n]*\]|[^\r\n]*\[[YN]\]"
        return rf"(?:^|[\r\n])(?:{question}|\([^()\r\n]*\)|[A-Za-z0-9.\-]+(?: \(SERVICE\))?)?> $"

    def drop_connections(self) -> None:
        """Cut all sessions without a word; can be called from anywhere, a journal's hook too."""
        if self._loop is not None:
            self._loop.call(lambda: drop_all(self._doors))

    def _options(self, member: Member) -> Options | None:
        if self.refuse_connections:
            return None
        options: Options = {
            "server_factory": lambda: Login(self, member),
            "process_factory": lambda process: self._serve(member, process),
            "server_host_keys": [host_key(member.host, self.host_key_seed)],
            "line_editor": False,
            "encoding": None,
            "gss_host": None,
            "keepalive_interval": 0,
            "server_version": "OpenSSH_8.0",
        }
        if self.sha1_only:
            options |= {**SHA1, "server_host_keys": [self._rsa_key()]}
        return options

    def _rsa_key(self) -> asyncssh.SSHKey:
        if self._rsa is None:
            self._rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
        return self._rsa

    async def _serve(self, member: Member, process: asyncssh.SSHServerProcess[Any]) -> None:
        session = Session(self, member, process, COMMANDS, self.sessions)
        self.sessions.append(session)
        try:
            if process.command is None:
                await session.shell()
            else:
                await session.execute(process.command)
        except Broken:
            process.channel.get_connection().abort()
        except Exception as broken:
            # A defect of the lab itself: the test that met it must fail, not see a closed session.
            self.errors.append(broken)
            raise
        finally:
            session.terminal.flush()
            self.sessions.remove(session)
            self.journal.record(member.channel, "disconnect", pending=bool(session.pending))
            process.exit(0)
