"""One customer's stack under the small engine, on an estate that can be set back: what the way-back tests do again and again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from lab.demo import sections
from lab.estate import Estate, EstateSnapshot
from tests.hands import DOMAIN, POLICY, SHOP
from tests.mini_engine import MiniEngine, Saved
from tests.unit.settings_samples import sample

Values = dict[str, Any]
NOT_COMPARED = ("Comment:", "Comments:", "Priority:", "ConnectorSource:")


def values(**changes: Any) -> Values:
    """The guide's stack with a second domain and the ciphers set; nothing but the policy is taken over."""
    found = sample("bce-demo-lab")
    found["domains"] = {one: {"microsoftMx": f"{one.replace('.', '-')}.mail.protection.outlook.com"} for one in (DOMAIN, SHOP)}
    found["outbound"] = {**found["outbound"], "ciphers": "set"}
    found["takeOver"] = ["mailFlowPolicy"]
    for key, value in changes.items():
        found[key] = {**found.get(key, {}), **value} if isinstance(value, Mapping) else value
    return found
