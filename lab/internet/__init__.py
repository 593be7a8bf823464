"""What is neither gateway nor tenant: DNS, resolvers, and a sender and mailboxes of other people."""
