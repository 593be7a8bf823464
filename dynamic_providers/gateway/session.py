"""A live command line, logged in: what the commands of a transaction are run in."""

import time
from dataclasses import dataclass, field

from dynamic_providers.gateway.dialogue import Conversation
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.shell import Shell
from dynamic_providers.gateway.ssh import Line


@dataclass
class Session:
    """A live command line on one gateway (or on a whole cluster, at the cluster's level)."""

    line: Line
    shell: Shell
    banner: str
    tables_checked: set[str] = field(default_factory=set)
    last_used: float = field(default_factory=time.monotonic)
    holds_changes: bool = False  # of ours: staged, and neither committed nor taken back

    @property
    def name(self) -> str:
        """Whose command line this is, for errors."""
        return self.shell.name

    def run(self, script: Script) -> list[str]:
        """Go through a script. What was printed: after the command, then after each of its steps."""
        try:
            return Conversation(self.shell, script).run()
        finally:
            self.last_used = time.monotonic()

    def close(self) -> None:
        """End it; what was not committed is lost by that."""
        self.line.close()
