"""`fleet onboard`: from the welcome letter to a stack that can be previewed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dynamic_providers.errors import ManagedError, clean, clean_errors
from fleet.onboard.answers import Answers, Ask
from fleet.onboard.given import Given
from fleet.options import Ended, on_stderr
from fleet.outcome import NOTHING, WRONG
from fleet.stacks import project_folder

DIFFERS = 2

Letter = Annotated[
    Path | None,
    typer.Option("--letter", metavar="FILE", help="Cisco's welcome letter, as text; - reads it from stdin."),
]


def onboard(
    *,
    letter: Letter = None,
    customer: Annotated[str, typer.Option(help="The customer's name, in any script.")] = "",
    environment: Annotated[str, typer.Option(help="Which of its environments, such as prod.")] = "",
    stack: Annotated[
        str, typer.Option(help="The stack's name; else <customer>-<environment>, in small letters.")
    ] = "",
    tenant: Annotated[
        str, typer.Option(help="The tenant's first domain, such as contoso.onmicrosoft.com.")
    ] = "",
    tenant_id: Annotated[str, typer.Option(help="Its directory id; else its login page is asked.")] = "",
    client_id: Annotated[
        str, typer.Option(help="The app registration's id there; else AZURE_CLIENT_ID.")
    ] = "",
    cloud: Annotated[
        str, typer.Option(help="worldwide, gccHigh, dod or china; mostly seen by --tenant.")
    ] = "",
    domain: Annotated[
        list[str] | None, typer.Option(help="A mail domain of the tenant; may be given again.")
    ] = None,
    microsoft_mx: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DOMAIN=HOST", help="A domain's own Microsoft MX; else DNS and Microsoft Graph are asked."
        ),
    ] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[=DATA1,DATA2]",
            help="A gateway, HOST or HOST:PORT, and its interfaces' addresses; else those of the letter.",
        ),
    ] = None,
    gateway_name: Annotated[str, typer.Option(help="What the gateways are called in this project.")] = "",
    gateway_user: Annotated[str, typer.Option(help="The account on them.")] = "admin",
    cluster: Annotated[
        bool | None, typer.Option(help="Whether they are clustered; else they are asked.")
    ] = None,
    jump_host: Annotated[str, typer.Option(help="The host that SSH goes through; else the letter's.")] = "",
    accept_host_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[HOST=]SHA256:…",
            help="A host key that you have compared with its owner's word. Without: it is shown, and asked.",
        ),
    ] = None,
    inbound_listener: Annotated[str, typer.Option(help="The public listener; else the gateway's own.")] = "",
    outbound_listener: Annotated[str, typer.Option(help="The private one; else the gateway's own.")] = "",
    outbound: Annotated[str, typer.Option(help="Whose mail goes out through it: none, pilot, all.")] = "none",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Any other setting, such as lockdown=report; no secret."
        ),
    ] = None,
    secrets_provider: Annotated[
        str, typer.Option(help="The stack's key, as for `pulumi stack init`; else the backend's own way.")
    ] = "",
    from_live: Annotated[
        bool, typer.Option("--from-live", help="Read an estate that was set up by hand, as it is.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a stack file that differs.")] = False,
) -> NoReturn:
    """Write a new customer's stack file, make its secret, and initialise its stack.

    What is not given is looked up, then asked; where nobody can be asked, all that is missing is listed.
    Changes nothing on either side.
    """
    given = Given(
        letter=letter,
        customer=customer,
        environment=environment,
        stack=stack,
        tenant=tenant,
        tenant_id=tenant_id,
        client_id=client_id,
        cloud=cloud,
        domains=tuple(domain or ()),
        microsoft_mx=tuple(microsoft_mx or ()),
        gateways=tuple(gateway or ()),
        gateway_name=gateway_name,
        user=gateway_user,
        cluster=cluster,
        jump_host=jump_host,
        host_keys=tuple(accept_host_key or ()),
        inbound_listener=inbound_listener,
        outbound_listener=outbound_listener,
        outbound=outbound,
        settings=tuple(settings or ()),
        secrets_provider=secrets_provider,
        from_live=from_live,
        force=force,
    )
    raise Ended(_carried_out(given))


def _carried_out(given: Given) -> int:
    console = on_stderr()

    def tell(text: str) -> None:
        console.print(clean(text), markup=False)

    try:
        differs = _differs(given, Answers(_asking(given), tell))
    except ManagedError as error:
        console.print(f"error: {error}", markup=False)
        return WRONG
    return DIFFERS if differs else NOTHING


@clean_errors
def _differs(given: Given, answers: Answers) -> bool:
    from fleet.onboard.steps import Onboarding  # it loads the drivers, a second that others need not wait

    return Onboarding(given, answers, project_folder(), _say).run()


def _say(line: str) -> None:
    print("  " * line.startswith("  ") + clean(line), flush=True)


def _asking(given: Given) -> Ask | None:
    """Somebody at the terminal, if there is one; not where the letter comes from there."""
    from_stdin = given.letter is not None and str(given.letter) == "-"
    if from_stdin or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _typed


def _typed(question: str) -> str:
    try:
        return str(typer.prompt(clean(question), default="", show_default=False, err=True))
    except typer.Abort:  # an error like others, to what tells unexpected ones
        raise KeyboardInterrupt from None
