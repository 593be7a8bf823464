"""Runs the checks of a stack and reports what they found: `python -m mail_check STACK`; a page for people."""
