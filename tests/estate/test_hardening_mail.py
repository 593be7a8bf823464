"""What the switches beyond the guide do to mail: seen in the tenant's mailboxes and at the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.estate import Estate
from lab.mail.client import SmtpClient
from lab.mail.envelope import compose
from tests.estate.test_mail_rules import DATA2, LAB, SPAM, STAFF, Ground
from tests.mail_stack import DOMAIN, MAILBOX, OUTSIDE, Changes
from tests.mini_engine import Refused
from tests.plugin_nursery import Nursery

pytestmark = pytest.mark.timeout(120)

FORGED = "boss@fabrikam.example"  # whose SPF record names Microsoft and its gateway only
BYPASS: Changes = {("inbound", "spamBypass"): "sclRule"}
NONE: Changes = {("inbound", "spamBypass"): "none"}
ENHANCED: Changes = {("inbound", "spamBypass"): "enhancedFiltering"}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("hardening")
    with Estate(folder / ".lab", **LAB) as estate, Nursery() as nursery:
        yield Ground(estate, nursery)


def folder_of(ground: Ground, sender: str, headers: dict[str, str] | None = None) -> str:
    """Where a message through the gateway lands."""
    envelope = compose(sender, STAFF, "Please pay this", headers=headers or {})
    ground.send(envelope)
    return ground.arrived(envelope).folder


# --- Enhanced Filtering -------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [None, ["203.0.113.8"]], ids=["last hop", "addresses"])
def test_a_forged_sender_is_seen_with_enhanced_filtering_only(
    ground: Ground, listed: list[str] | None
) -> None:
    ground.begin(ground.made)
    assert folder_of(ground, FORGED) == "inbox"
    ground.stack.set(NONE)
    ground.stack.up()
    assert folder_of(ground, FORGED) == "inbox"  # all that Microsoft sees is the gateway
    ground.stack.set({**ENHANCED, ("inbound", "enhancedFiltering"): listed})
    ground.stack.up()
    assert folder_of(ground, FORGED) == "junkemail"
    assert folder_of(ground, "anna@sender.example") == "inbox"
    ground.stack.set({**BYPASS, ("inbound", "enhancedFiltering"): None})
    ground.stack.up()
    assert folder_of(ground, FORGED) == "inbox"


def test_the_rule_of_the_guide_keeps_enhanced_filtering_from_acting(ground: Ground) -> None:
    """Why ours is not made then, and others' are warned of."""
    ground.begin(ground.made)
    ground.stack.set(ENHANCED)
    ground.stack.up()
    assert folder_of(ground, FORGED) == "junkemail"
    address = {"SenderIpRanges": ["192.0.2.0/24", "198.51.100.0/24"]}
    ground.estate.tenant.invoke_by_hand("New-TransportRule", Name="Theirs", SetSCL=-1, **address)
    assert folder_of(ground, FORGED) == "inbox"


# --- connection filter --------------------------------------------------------------------------------------


def test_the_allow_list_skips_the_spam_filter(ground: Ground) -> None:
    ground.begin(ground.made)
    ground.stack.set(NONE)
    ground.stack.up()
    assert folder_of(ground, "sales@sender.example", SPAM) == "junkemail"
    ground.stack.set({("inbound", "connectionFilter"): "allow"})
    ground.stack.up()
    assert folder_of(ground, "sales@sender.example", SPAM) == "inbox"
    ground.stack.set({("inbound", "connectionFilter"): "leave"})
    ground.stack.up()
    assert folder_of(ground, "sales@sender.example", SPAM) == "junkemail"


# --- what lacks the header ----------------------------------------------------------------------------------


def status_without_header(ground: Ground) -> str:
    """What becomes of mail from Microsoft's hosts without the header, in tracking's lines."""
    envelope = compose("someone@another.example", "victim@probe.example", "Unwanted")
    microsoft = ground.estate.tenant.organization.outbound[0]
    with SmtpClient(ground.network, microsoft, DATA2) as client:
        assert client.send(envelope).delivered
    mail = ground.estate.gateway.mail
    assert mail is not None
    assert mail.wait_until_empty(20)
    return "\n".join(line.text for line in mail.tracking().messages[-1].lines)


def test_what_lacks_the_header_is_dropped_or_quarantined(ground: Ground) -> None:
    ground.begin(ground.made)
    assert "Dropped by filter 'office365_outbound'" in status_without_header(ground)
    ground.stack.set({("outbound", "mismatch"): "quarantine"})
    ground.stack.up()
    assert 'quarantined to "Policy"' in status_without_header(ground)
    ground.stack.set({("outbound", "mismatch"): "drop"})
    ground.stack.up()
    assert "Dropped by filter 'office365_outbound'" in status_without_header(ground)


def test_the_forged_check_proves_the_quarantine(ground: Ground) -> None:
    ground.begin(ground.made)
    ground.stack.set({
        ("outbound", "state"): "all",
        ("outbound", "mismatch"): "quarantine",
        ("checks",): {
            "mailbox": MAILBOX,
            "outside": OUTSIDE,
            "imap": {"host": "imap.probe.example"},
            "deadline": "30s",
        },
    })  # fmt: skip
    ground.stack.up()
    proofs = ground.stack.state["outbound-check"].outputs["evidence"]
    forged = next(one for one in proofs if one["check"] == "forged")
    assert forged["verdict"] == "ok", forged
    assert "Quarantined by filter 'office365_outbound'" in forged["hops"][-1]["says"]


# --- SPF ----------------------------------------------------------------------------------------------------


def spf_record(estate: Estate) -> list[str]:
    found = estate.internet.zones.get(DOMAIN, "TXT")
    return [text for text in (found.values if found else ()) if "v=spf1" in text]


def test_an_spf_record_gets_the_gateway_before_mail_leaves_by_it(tmp_path: Path) -> None:
    outbound: Changes = {("outbound", "state"): "all"}
    with Estate(tmp_path / ".lab", gateway_in_spf=False, **LAB) as estate, Nursery() as nursery:
        ground = Ground(estate, nursery)
        before = spf_record(estate)
        estate.internet.zones.set(DOMAIN, "TXT", *before, ttl=1)
        for resolver in estate.internet.resolvers.values():
            resolver.resolver.forget()
        ground.stack.set(outbound)
        with pytest.raises(Refused, match="receivers will refuse or distrust what the gateway sends"):
            ground.stack.preview()
        ground.stack.set({("dns", "spf"): "keep", ("settle", "mx"): "ttl"})
        ground.stack.up()
        assert spf_record(estate) == [before[0].replace("v=spf1", f"v=spf1 ip4:{DATA2}")]
        assert ground.stack.up().operations() == {}
        ground.stack.set({("outbound", "state"): "none"})
        ground.stack.up()
        assert spf_record(estate) == before
