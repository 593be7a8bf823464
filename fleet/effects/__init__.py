"""What a drift does to mail: how bad it is, and why."""
