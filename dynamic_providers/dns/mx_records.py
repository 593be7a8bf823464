"""A domain's MX set, managed by RFC 2136 (guide: «Atualizar os registros MX»). Row f.

One resource for each domain, not one table: a domain's move waits for its own check and its own TTL, and its
way back for nothing, so a domain that is stuck must not hold up another. A table's reason, one commit for all
of its keys, does not exist in DNS: an update is for one zone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)

from dynamic_providers import report
from dynamic_providers.dns import mx_set, settling
from dynamic_providers.dns.connection import DEFAULT_TTL, Ttl, dns_connection, resolver
from dynamic_providers.dns.mail_hosts import without_address
from dynamic_providers.dns.mx_move import Move, held, replace, until_settled
from dynamic_providers.dns.mx_set import MxHosts
from dynamic_providers.dns.primary import primary
from dynamic_providers.dns.settling import Change, Settle
from dynamic_providers.dns.wire import named
from dynamic_providers.entries import ABSENT, Entries, Entry, Place, Props, has_unknown, plain
from dynamic_providers.errors import clean, clean_errors
from dynamic_providers.field_types import Domain, MicrosoftMx
from dynamic_providers.managed_resource import ManagedResource, ObjectProvider
from dynamic_providers.model import Model

OUTPUTS = ("changedAt", "settledAt", "heldUntil")

# --- model --------------------------------------------------------------------------------------------------


class MxRecordsInputs(Model):
    """The MX set of one domain. All of it is ours: a host beside ours would take mail past the gateway.

    `microsoftMx` is the domain's original MX: it may stand there when we come, and leading mail to it again
    is a move back. `lowerTtlFirst` (seconds): before the move the old set gets this TTL, and the move waits
    until its old TTL has passed. `settle`: how long a move back takes to answer, «ttl» (of what it replaced)
    or seconds.
    """

    domain: Domain
    hosts: MxHosts
    ttl: Ttl = DEFAULT_TTL
    microsoft_mx: MicrosoftMx | None = None
    lower_ttl_first: Ttl | None = None
    settle: Settle = "ttl"


# --- provider -----------------------------------------------------------------------------------------------


class MxRecordsProvider(ObjectProvider):
    """Owns the MX set of one name, and no other record there."""

    label = "MX"
    model = MxRecordsInputs
    identity = ("domain",)
    key_field = "domain"
    settings = frozenset({"microsoftMx", "lowerTtlFirst", "settle", *OUTPUTS})
    take_over_key = "mx"
    outputs = ("changedAt", "settledAt")

    # --- hooks ----------------------------------------------------------------------------------------------

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        server = primary()
        found = {key: server.read(key) for key in keys}
        return {key: entry for key, entry in found.items() if entry is not None}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        for domain, entry in changes.items():
            replace(domain, live.get(domain), entry)

    def notes(self, props: Props) -> Iterable[str]:
        """What Microsoft's own page will say of the MX from now on."""
        if not mx_set.only_microsoft(props, props.get("microsoftMx")):
            yield f"{props['domain']}: {mx_set.CHECK_HEALTH}"

    def setting(self, news: Props, key: str) -> str:
        return f"{self.take_over_key}.{key}"

    def _where(self, place: Place) -> str:
        connection = dns_connection()
        return named(str(connection.server), connection.port)

    def _refused(self, news: Props, fresh: Entries, live: Entries, before: Entries) -> list[str]:
        """The domain's own Microsoft MX is what a cut-over starts from: no stranger's, and never refused."""
        usual = {key for key, entry in live.items() if mx_set.only_microsoft(entry, news.get("microsoftMx"))}
        usual |= {key for key in fresh if mx_set.same_hosts(live.get(key), fresh[key])}
        return super()._refused(news, {k: v for k, v in fresh.items() if k not in usual}, live, before)

    # --- the engine's calls ---------------------------------------------------------------------------------

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        found = super().check(_olds, news)
        inputs, olds = plain(found.inputs), plain(_olds)
        back = mx_set.only_microsoft(inputs, inputs.get("microsoftMx"))
        unknown = has_unknown({name: value for name, value in inputs.items() if name != "before"})
        if found.failures or unknown or back or mx_set.same_hosts(olds, inputs):
            return found
        problems = without_address(resolver(), inputs["hosts"])
        return CheckResult(found.inputs, [CheckFailure("domain", clean(one)) for one in problems])

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        return super().diff(_id, _inputs(_olds), _news)

    @clean_errors
    def create(self, props: Props) -> CreateResult:
        props = plain(props)
        known = self._before(props).get(props["domain"], ABSENT)
        move = self._lowered(props, self._move(props, None if known == ABSENT else known, is_first=True))
        made = super().create(props)
        return CreateResult(made.id, self._settled(made.outs or {}, {}, move))

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        olds, news = plain(_olds), plain(_news)
        move = self._lowered(news, self._move(news, self.entries(olds).get(news["domain"])))
        made = super().update(_id, _inputs(olds), news)
        return UpdateResult(self._settled(made.outs or {}, olds, move))

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        props = plain(props)
        known = self.entries(props).get(props["domain"])
        found = super().read(id_, props)
        outs = found.outs or {}
        actual = self.entries(outs).get(props["domain"])
        if not mx_set.same_hosts(known, actual):  # changed by someone else, at the latest now
            outs = {**outs, **Change(settling.now(), int(known["ttl"]) if known else 0).outputs("ttl")}
        outs = {**outs, **held(known, actual)}
        return ReadResult(found.id, outs, _inputs(found.inputs or {}))

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        props = plain(_props)
        domain = props["domain"]
        then = self._before(props).get(domain, ABSENT)
        live = self.live(self._place(props), [domain]).get(domain)
        known = self.entries(props).get(domain)
        move = Move(domain, live, known, None if then == ABSENT else then)
        super().delete(_id, props)
        change = move.change()
        until = (
            until_settled(change, props["settle"], props) if change else settling.moment(props, "settledAt")
        )
        if until:
            settling.wait_until(until, f"{domain}: its MX is {mx_set.shown(move.wanted)}, as before us")

    # --- moving ---------------------------------------------------------------------------------------------

    def _move(self, news: Props, known: Entry | None, *, is_first: bool = False) -> Move:
        domain = news["domain"]
        live = self.live(self._place(news), [domain]).get(domain)
        return Move(domain, live, known, self.entries(news)[domain], is_first)

    def _lowered(self, news: Props, move: Move) -> Move:
        """Lower the TTL of what stands there, if asked, and wait until nobody holds it under the old one."""
        low = news.get("lowerTtlFirst")
        usual = mx_set.only_microsoft(move.live, news.get("microsoftMx")) or mx_set.same_hosts(
            move.live, move.known
        )
        if low is None or move.live is None or not usual or self._is_back(news, move):
            return move
        old = move.remembered()
        if mx_set.same_hosts(move.live, move.wanted) or old <= low:
            return move
        lowered = {**move.live, "ttl": min(low, int(move.live["ttl"]))}
        if lowered != move.live:
            replace(move.domain, move.live, lowered)
            report.info(f"{move.domain}: TTL of its old MX lowered from {move.live['ttl']} to {low} s")
        until = Change(settling.now(), old).forgotten()
        settling.wait_until(until, f"{move.domain}: until all have its old MX with the short TTL")
        return Move(move.domain, lowered, lowered, move.wanted, move.is_first)

    def _settled(self, made: Props, olds: Props, move: Move) -> Props:
        """What was made, with when; after a move back, when nobody uses the way before any more."""
        change = move.change()
        if change is None:
            kept = {name: olds[name] for name in OUTPUTS if olds.get(name)}
            return {**made, **kept, **held(move.live, move.wanted)}
        settle = made["settle"]
        until = until_settled(change, settle, olds)
        if self._is_back(made, move):
            settling.wait_until(until, f"{move.domain}: its MX is {mx_set.shown(move.wanted)} again")
        return {**made, "changedAt": settling.stamp(change.at), "settledAt": settling.stamp(until)}

    def _is_back(self, props: Props, move: Move) -> bool:
        """Whether mail is led to where it went before us: the way back, which waits for no lowered TTL."""
        if props.get("microsoftMx"):
            return mx_set.only_microsoft(move.wanted, props["microsoftMx"])
        before = self._before(props).get(move.domain, ABSENT)
        return not move.is_first and mx_set.same_hosts(move.wanted, before)


def _inputs(props: Props) -> Props:
    return {name: value for name, value in props.items() if name not in OUTPUTS}


# --- resource -----------------------------------------------------------------------------------------------


class MxRecords(ManagedResource, module="dns", name="MxRecords"):
    """The MX set of a domain.

    Outputs: `changedAt`, and `settledAt`, when the last resolver has forgotten the set before (UTC).
    """

    changedAt: pulumi.Output[str]  # noqa: N815 - the engine's keys are in camelCase
    settledAt: pulumi.Output[str]  # noqa: N815

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(MxRecordsProvider(), name, props, opts)
