"""What can go wrong with a check itself: one class for each failure that an operator can act on."""

from dynamic_providers.errors import ManagedError


class CheckFailed(ManagedError):
    """Mail does not flow as it should; says which hop, what it answered, and what usually causes it."""


class CannotLook(ManagedError):
    """Where a message would be seen cannot be looked at: no right, no credential, no connection."""


class CannotSend(ManagedError):
    """A message could not even be sent."""
