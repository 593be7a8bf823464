"""The practice tenant's data plane: front door, rules, mailboxes, outbound, trace, and Graph's mail."""
