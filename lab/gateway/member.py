"""One appliance of the lab's gateway, and what the gateway remembers of its configuration's life."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.gateway.keys import fingerprint
from lab.gateway.state import State


@dataclass
class Member:
    """One appliance. `local_port` is where it listens on 127.0.0.1; `port` is what stack files say."""

    host: str
    data1: str
    data2: str
    serial: str
    group: str = "Main_Group"
    port: int = 22
    local_port: int = 0

    @property
    def channel(self) -> str:
        """Its name in the journal."""
        return f"gateway:{self.host}"

    @property
    def interfaces(self) -> dict[str, str]:
        """Interface names and addresses."""
        return {"Data 1": self.data1, "Data 2": self.data2, "Management": "127.0.0.1"}

    @property
    def host_key(self) -> str:
        """The fingerprint of its host key, as `ssh` shows it."""
        return fingerprint(self.host)


@dataclass(frozen=True)
class Commit:
    """One commit, as the gateway remembers it."""

    host: str
    user: str
    comment: str
    changes: tuple[tuple[str, str], ...]


@dataclass
class Snapshot:
    """Committed configuration and exported files, to go back to."""

    state: State
    files: dict[str, tuple[str, object]] = field(default_factory=dict)
