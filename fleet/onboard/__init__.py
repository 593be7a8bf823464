"""From Cisco's welcome letter, the domains and the tenant to a stack that can be previewed."""
