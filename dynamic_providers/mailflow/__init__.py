"""Mail that proves the path: what is sent, where it is looked for, and what was found."""
