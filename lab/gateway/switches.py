"""What a test may change while the gateway runs: release habits, and faults."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

Refusal = Callable[[Sequence[tuple[str, str]]], str | None]
"""Sees the pending changes as (table, key) and gives a reason, or None to let them pass."""


@dataclass(eq=False)
class Switches:
    """Attributes of the running gateway; a profile sets them, a test changes them, `reset` goes back."""

    # Speed, in seconds. `latency` is per command, `*` for all others.
    latency: dict[str, float] = field(default_factory=dict)
    commit_seconds: float = 0.0
    commit_hold: threading.Event | None = None
    """While set to an event that is not set, commits wait for it."""
    commit_survives_disconnect: bool = True

    # Commits.
    refuse_commit: str | Refusal | None = None
    conflict: str = "ask"
    """Somebody else has committed since: `ask` about discarding, `refuse`, or `merge` without a word."""
    rollback_question: bool = True

    # Terminal.
    service_mode: bool = False
    """The prompt says (SERVICE)."""
    columns: int = 0
    """Width whatever the client asked for; 0 = what it asked for."""
    wrap: str = "word"
    """`word`, `hard` or `off`."""
    pager_lines: int = 0
    """0 = no pager, -1 = the height that the client asked for."""
    echo: bool = True
    newline: str = "\r\n"
    idle_seconds: float = 0.0
    """0 = never logged out for being idle."""
    line_pieces: tuple[int, ...] = ()
    """How many bytes arrive at a time, one size after the other and over again; none = all at once."""
    line_seconds: float = 0.0
    """Between two pieces."""
    prompt_seconds: float = 0.0
    """How long a prompt is behind the text before it."""

    # Dialogues.
    asks_again: bool = True
    """After an answer it does not like: ask again, or fall back to the menu."""
    strange_question: bool = False
    new_group_lands: str = "last"
    """A new sender group: `last` (before ALL) or `first`."""
    policies_first: bool = False
    """Policies stand above sender groups where one of both is chosen, and above the plain behaviours."""
    clear_asks: bool = True
    """`clear` asks whether one is sure."""
    print_priority_zero: bool = False
    notice: str = "command"
    """In a cluster, the notice about a mode without settings comes after the `command` or the `verb`."""
    notice_switch_lasts: bool = True
    """After choosing «switch modes» in the notice: stay in that mode, or only for this command."""

    # Logging in.
    auth_methods: tuple[str, ...] = ("password", "keyboard-interactive", "publickey")
    keyboard_notice: bool = False
    """Keyboard-interactive ends with a message that asks for nothing, as PAM sends it."""
    password_expired: bool = False
    """At a terminal it must be changed first; without one the session ends."""
    password_days: int = 0
    """The login warns that the password expires in so many days; 0 = it does not."""
    password_question: bool = False
    """The warning asks at once whether to change it."""
    host_key_seed: str = ""
    """Anything here gives other host keys, as if somebody stood in between."""
    sha1_only: bool = False
    """Offer only `diffie-hellman-group14-sha1` and `ssh-rsa`, like an old appliance."""
    refuse_connections: bool = False

    # Cluster.
    disconnected: set[str] = field(default_factory=set)
    """Hosts of members that the cluster cannot reach."""
    disconnected_mode: bool = False
    """Their mode can be entered all the same: only `clusterconfig` tells."""

    # Mail.
    delivery_interface: str = ""
    """Where mail leaves while `deliveryconfig` says Auto: "" = relayed from Data 2, other from Data 1."""
    delivery_threads: int = 32
    """Counts from the start of the mail service on, for each member."""
    smtp_timeout: float = 10.0
    retry_seconds: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0)
    """Between tries of a message; the last one repeats."""
    queue_seconds: float = 72 * 3600.0
    """How long a message is tried before it bounces."""
    hat_limits: bool = True
    """Hold hosts to what their mail flow policy allows: connections, messages, recipients."""
    smtp_faults: dict[str, str] = field(default_factory=dict)
    """Replies of all listeners by stage (connect, mail, rcpt, data), instead of what they would say."""
    certificate: str = "public"
    """What it shows in TLS where it delivers: `public`, `demonstration`, which nobody trusts, or `none`."""
    certificate_names: tuple[str, ...] = ()
    """The names in its certificate, the subject first; () = the member's host name. Counts for its listeners
    from the next `mail.sync()` on."""
    unknown_quarantine: str = "invalid"
    """Not known: a filter that names a quarantine that is not there is `invalid`, or `refused` at once."""
    new_mid_when_changed: bool = False
    """A message that a filter has changed goes on under a second MID, as in the guide's picture."""

    # Tracking.
    tracking_delay: float = 0.0
    """How many seconds the Email and Web Manager is behind its gateways."""
    tracking_down: bool = False
    tracking_status: str = "by_mid"
    """`messageStatus` of a search: `by_mid`, an object, or `text`, as older releases have it."""
    tracking_utc_offset: float = 0.0
    """Hours, of the times that tracking shows."""
    tracking_token_seconds: float = 1800.0

    def set_switches(self, values: dict[str, object]) -> None:
        """Set several by name; an unknown name is an error."""
        known = {item.name for item in fields(Switches)}
        for name, value in values.items():
            if name not in known:
                raise AttributeError(f"the lab's gateway has no switch «{name}»; it has {sorted(known)}")
            default = getattr(self, name)
            if isinstance(default, tuple) and isinstance(value, list):
                value = tuple(value)  # noqa: PLW2901 - YAML has no tuples
            if isinstance(default, set) and isinstance(value, list):
                value = set(value)  # noqa: PLW2901 - nor sets
            setattr(self, name, value)
