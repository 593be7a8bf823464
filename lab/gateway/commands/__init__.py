"""One room per command of the gateway's command line."""
