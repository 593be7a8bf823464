"""What a stack's objects are called, as the guide and the lab's stack bce-demo-lab have it."""

DOMAIN, SHOP = "bce-demo.com", "shop.bce-demo.com"
INBOUND, OUTBOUND = "Inbound from Cisco CES", "Outbound to Cisco CES"  # the latter is a connector and a rule
BYPASS = "Bypass spam filtering - inbound email from Cisco CES"
GROUP, POLICY, FILTER = "RELAY_O365", "RELAYED", "office365_outbound"
INBOUND_LISTENER, OUTBOUND_LISTENER = "IncomingMail", "OutgoingMail"
