"""Benchmarks: what many stacks cost, measured on the lab."""
