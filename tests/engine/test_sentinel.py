"""A stack whose mail flows, on the real engine: what the guard says there, and what `destroy` may do when."""

from __future__ import annotations

import pytest

from dynamic_providers.safety.sentinel import NAME
from tests.engine.life import Life

pytestmark = pytest.mark.timeout(300)


def test_destroy_is_held_until_mail_is_switched_off(life: Life) -> None:
    project, estate = life.project, life.estate
    project.up()
    there = estate.dump()
    held = project.destroy(check=False)
    assert not held.ok
    assert NAME in held.output
    assert "cannot be deleted" in held.output
    assert estate.dump() == there

    project.set({"names.senderGroup": "FROM_M365"})
    refused = project.preview(check=False)
    assert not refused.ok
    assert "names.senderGroup changes from «RELAY_O365» to «FROM_M365» while outbound mail" in refused.output
    assert "put into the stack file: m365-secure-email:acknowledge: [{what: replace names." in refused.output
    assert estate.dump() == there

    project.set({"names.senderGroup": "RELAY_O365", "outbound.state": "none"})
    project.up()
    project.destroy()
    assert estate.dump() == life.before
