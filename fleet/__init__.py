"""Many stacks from one command: `python -m fleet`."""
