"""One identity: its settings, what is made in Entra, what the main stack and an administrator need."""

import sys
from pathlib import Path

import pulumi
import pulumi_azuread as azuread

sys.path.append(str(Path(__file__).resolve().parent.parent))  # where the packages of both projects lie

from identity.automation_identity import AutomationIdentity
from identity.rights import ENTRA_CLOUDS
from identity.settings import of_this_stack

settings = of_this_stack()
# Named, so that a login left over from another tenant or cloud is refused and not used.
entra = azuread.Provider(
    "entra", tenant_id=settings.tenant.id, environment=ENTRA_CLOUDS[settings.tenant.cloud]
)
identity = AutomationIdentity("identity", settings, pulumi.ResourceOptions(providers=[entra]))
for name, value in identity.exported.items():
    pulumi.export(name, value)
