"""The one resource that is ever protected: while mail flows over the stack, `destroy` deletes nothing.

A `destroy` calls no code of ours before it deletes; the engine's own `protect` is what stops it (measured:
also with --skip-preview, if everything else is depended on), and its message shows the resource's name. So
the name says what to do first.
"""

from typing import ClassVar, Final

import pulumi
from pulumi.dynamic import Resource

from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model

NAME: Final = "mail-flows-set-outbound-none-and-mx-microsoft-first"


class SentinelInputs(Model):
    """Nothing: only whether it is protected counts, and that is an option."""


class SentinelProvider(LookingProvider):
    """Does nothing, and never changes."""

    model: ClassVar[type[Model]] = SentinelInputs
    identity = ()


class Sentinel(Resource, module="safety", name="Sentinel"):
    """There as long as the stack is: a protected resource cannot be left out in the run that frees it."""

    def __init__(self, opts: pulumi.ResourceOptions) -> None:
        super().__init__(SentinelProvider(), NAME, {}, opts)
