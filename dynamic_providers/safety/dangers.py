"""The steps of a plan that may stop mail, from the facts of the last run and those of this one.

Facts are plain data, the inputs of the guard. A step is found without looking; whether mail is in danger
by it is looked at when its reason is asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from dynamic_providers.entries import Props, quoted, some
from dynamic_providers.safety import acknowledgements, flowing
from dynamic_providers.safety.replaced import REPLACED, Replaced

MANY = 10  # from so many domains on, a change of many at once is more likely a slip
MOST = 30  # percent of the domains that may change at once

_BACK_OUT = "Set outbound.state to none and run `pulumi up`: it returns when no more mail comes that way"


@dataclass(frozen=True)
class Danger:
    """One step of a plan: the words that acknowledge it, and what speaks against it; empty for nothing."""

    what: str
    reason: Callable[[], str]


def dangers(olds: Props, news: Props) -> Iterator[Danger]:
    """All of them, between two sets of facts; at first contact only what certificates do."""
    yield from _certificates(olds, news)
    if not olds:
        return
    for entry in _gone(olds, news):
        yield Danger(acknowledgements.remove(entry), partial(_removed, entry, olds))
    if olds["smartHosts"] and not news["smartHosts"]:
        yield Danger(acknowledgements.REMOVE_CONNECTOR, partial(_no_connector, olds))
    for setting, replaced in REPLACED.items():
        was, now = olds["places"].get(setting), news["places"].get(setting)
        if was and now and was != now:
            reason = partial(_replaced, setting, replaced, olds, news)
            yield Danger(acknowledgements.replace(setting), reason)
    for rule in acknowledgements.RULES:
        if clauses := list(_cleared(rule, olds, news)):
            yield Danger(acknowledgements.clear(rule), partial(_clearing, rule, clauses))
    yield from _many(olds, news)
    if olds["smartHosts"] and news["outbound"] != "none":
        for host in sorted({*news["smartHosts"]} - {*olds["smartHosts"]}):
            yield Danger(acknowledgements.smart_host(host), partial(_refusing, host, news))


# --- a domain -----------------------------------------------------------------------------------------------


def _gone(olds: Props, news: Props) -> Iterator[str]:
    """What leaves the gateway's tables: a domain, or of one that stays the entry of its subdomains."""
    for name, fact in sorted(olds["domains"].items()):
        if name not in news["domains"]:
            yield name
        elif fact["subdomains"] and not news["domains"][name]["subdomains"]:
            yield f".{name}"


def _removed(entry: str, olds: Props) -> str:
    domain = entry.removeprefix(".")
    flow = flowing.inbound(olds, [domain])
    if not flow:
        return ""
    harm = (
        "its recipient access and its SMTP route would go first, and the gateway would answer mail for "
        f"{'its subdomains' if entry != domain else 'it'} with 550: senders get it back"
    )
    if entry != domain:
        return (
            f"you are taking the subdomains of {domain} out of the stack while {flow}: {harm}. Lead the MX "
            "of all subdomains elsewhere first, wait for their time to live, and take them out then"
        )
    return (
        f"you are removing {domain} from the stack while {flow}: {harm}. Set domains.{domain}.mx to "
        "microsoft and run `pulumi up`, which returns when nobody uses the old MX any more; remove it then"
    )


def _many(olds: Props, news: Props) -> Iterator[Danger]:
    then, now = olds["domains"], news["domains"]
    if len(then) < MANY:
        return
    # Back to Microsoft is never too many: that is the way back.
    moved = sorted(
        name for name in then if name not in now or now[name]["mx"] not in (then[name]["mx"], "microsoft")
    )
    if 100 * len(moved) > MOST * len(then):
        words = acknowledgements.change_many(len(moved), len(then))
        yield Danger(words, partial(_too_many, moved, len(then)))


def _too_many(moved: list[str], of: int) -> str:
    return (
        f"{len(moved)} of {of} domains would be removed or get another mx in one run ({some(moved)}), more "
        f"than {MOST} %: if something is wrong with it, all their mail is. If it is no slip, do a few first, "
        "see that their mail arrives, and then the rest"
    )


# --- connector, group, filter -------------------------------------------------------------------------------


def _no_connector(olds: Props) -> str:
    flow = flowing.outbound(olds)
    if not flow:
        return ""
    return (
        "you are taking outbound.smartHosts away, and with it the outbound connector, the sender group and "
        f"the filter, while {flow}: what Microsoft 365 still sends there would come back to its senders, and "
        f"nothing would be left to switch on again. {_BACK_OUT}; take the smart hosts away then"
    )


def _replaced(setting: str, replaced: Replaced, olds: Props, news: Props) -> str:
    flow = replaced.inbound and flowing.inbound(olds, olds["domains"])
    flow = flow or (replaced.outbound and flowing.outbound(olds))
    if not flow:
        return ""
    back = [
        *(["the domains' mx to microsoft"] if replaced.inbound else []),
        *(["outbound.state to none"] if replaced.outbound else []),
    ]
    return (
        f"{setting} changes from «{olds['places'][setting]}» to «{news['places'][setting]}» while {flow}: "
        f"the old one is taken away before the new one is made, and in between {replaced.harm}. Set "
        f"{' and '.join(back)} and run `pulumi up`, change it then, and lead mail back afterwards"
    )


# --- a rule's scope -----------------------------------------------------------------------------------------


def _cleared(rule: str, olds: Props, news: Props) -> Iterator[str]:
    """What a rule would act on that it does not act on now, a clause each."""
    then, now = olds["scopes"].get(rule), news["scopes"].get(rule)
    if then is None or now is None:
        return  # it comes, or it goes
    for condition, values in then.items():
        lost = sorted({*values} - {*now.get(condition, [])})
        if not lost:
            continue
        if condition.startswith("exceptIf"):
            yield f"it would act on {quoted(lost)}, too, which {condition} keeps out"
        elif not now.get(condition) and not _everybodys_on_purpose(condition, news):
            yield f"it would act without its condition {condition} ({quoted(lost)}), so on everybody's mail"


def _everybodys_on_purpose(condition: str, news: Props) -> bool:
    """From a pilot group to all: that has a setting of its own, which says it."""
    return condition == "fromMemberOf" and news["outbound"] == "all"


def _clearing(rule: str, clauses: list[str]) -> str:
    return (
        f"the transport rule names.{rule} loses part of its scope: {'; '.join(clauses)}. Put it back into "
        "the stack file if that is not what you mean"
    )


# --- smart hosts --------------------------------------------------------------------------------------------


def _certificates(olds: Props, news: Props) -> Iterator[Danger]:
    """Of smart hosts whose certificate begins to count: it decides whether Microsoft 365 delivers there."""
    if not news.get("tls") or news["outbound"] == "none":
        return
    same = all(olds.get(one) == news.get(one) for one in ("tls", "tlsDomain"))
    known = {*olds["smartHosts"]} if olds and olds["outbound"] != "none" and same else set()
    for host in sorted({*news["smartHosts"]} - known):
        yield Danger(acknowledgements.smart_host(host), partial(_uncertified, host, news))


def _uncertified(host: str, news: Props) -> str:
    said = flowing.uncertified(host, str(news.get("tlsDomain") or ""))
    if not said:
        return ""
    return (
        f"outbound.tls asks for the certificate of the smart host {host}, and {said}: Microsoft 365 would "
        "not deliver there, and mail would come back. Give the gateway such a certificate for its outbound "
        "listener, or correct outbound.tls and outbound.tlsDomain"
    )


def _refusing(host: str, news: Props) -> str:
    said = flowing.refusing(host, news["outboundAddresses"])
    if not said:
        return ""
    return (
        f"outbound mail would go to another smart host, and {said}: what Microsoft 365 sends there would "
        "come back. Correct outbound.smartHosts; or, if it is a gateway that takes Microsoft 365 only and "
        "refuses just this machine, give it as data2 among gateway.members"
    )
