"""What a drift of the DNS does to mail, and of resources that only look."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.effects.severity import Effects, Thing, cosmetic, past, stops, treatment, whatever

_HOSTS = whatever(
    past("an MX beside ours takes mail past the gateway, or to where nobody takes it"),
    missing=stops("the domain has no MX: mail to it is not delivered"),
    changed=treatment("one of the domain's mail hosts is gone: the others take all of its mail"),
)
_PREFERENCE = whatever(treatment("the mail hosts are tried in another order"))


def _looks(says: str = "it only looks: mail does not depend on it") -> Thing:
    """A resource that mail does not go by."""
    return Thing(itself=whatever(cosmetic(says)))


def _led(gone: Effects) -> Thing:
    return Thing(itself=gone, attributes={"hosts": _HOSTS, "hosts.preference": _PREFERENCE})


_MX = _led(whatever(stops("the domain has no MX: mail to it is not delivered")))
_TTL = {"ttl": whatever(treatment("a change of the MX is known to the world sooner or later than set"))}

THINGS: Mapping[str, Thing] = {
    "dns:MxRecords": Thing(itself=_MX.itself, attributes={**_MX.attributes, **_TTL}),
    "dns:MxCheck": _MX,
    "dns:SpfTerms": Thing(
        itself=whatever(
            stops("the SPF record does not name the gateway: receivers may refuse what it sends"),
            extra=past("the SPF record names senders that we took out of it"),
        )
    ),
    "dns:SenderPolicy": _looks("receivers' view of SPF, DKIM and DMARC is told, and is no drift"),
    "dns:Snapshot": _looks(),
    "gateway:Snapshot": _looks(),
    "exchange:Snapshot": _looks(),
    "gateway:Equivalents": _looks(),
    "exchange:Equivalents": _looks(),
    "gateway:LastTenant": _looks(),
    "exchange:PastTheGateway": _looks(),
    "exchange:SecretRotation": _looks(),
    "mailflow:InboundCheck": _looks(),
    "mailflow:OutboundCheck": _looks(),
    "safety:Guard": _looks(),
    "safety:Sentinel": _looks(),
}
