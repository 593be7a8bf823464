"""What a Python that forks for the tests has loaded before, and the defects that a fork begins with."""

from __future__ import annotations

import gc
import importlib
import os

LOADED = (
    "argparse",
    "components.secure_email_integration",
    "components.shared_gateway",
    "dill",
    "dns.rdtypes.ANY.CNAME",
    "dns.rdtypes.ANY.MX",
    "dns.rdtypes.ANY.TXT",
    "dns.rdtypes.IN.A",
    "dynamic_providers.dns.snapshot",
    "dynamic_providers.exchange.snapshot",
    "dynamic_providers.gateway.snapshot",
    "dynamic_providers.mailflow.check_resource",
    "dynamic_providers.report",
    "grpc._channel",
    "grpc._interceptor",
    "grpc._server",
    "grpc.experimental",
    "pulumi.dynamic",
    "pulumi.runtime.proto.provider_pb2_grpc",
)
"""What a program or a plugin imports sooner or later; libraries' parts that they import when first used."""
PLANTED = "TEST_PLANTED"
"""In a plugin's environment: which defects of `tests.plants` it has, separated by `, `. No product code
knows it."""


def load() -> None:
    """Load everything; what is loaded stays where it is, so a fork copies only the memory that it changes."""
    for module in LOADED:
        importlib.import_module(module)
    gc.freeze()


def plant() -> None:
    """Give this process the defects that its environment asks for."""
    if PLANTED in os.environ:
        importlib.import_module("tests.plants").plant(*os.environ[PLANTED].split(", "))
