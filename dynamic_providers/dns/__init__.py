"""DNS of the mail domains: MX records by RFC 2136 or looked at only, sender policy, our own look-ups."""
