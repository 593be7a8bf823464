"""`python -m fleet.doctor.child NAME…`: looks at stacks one after the other, and prints a line of JSON each.

They share the sessions with their gateways. A process of its own, since what a driver logs in with is
the environment's, and each stack has its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from fleet.doctor.checks import examine
from fleet.doctor.finding import Finding
from fleet.doctor.logins import Logins
from fleet.doctor.subject import Subject
from fleet.environment import Environments
from fleet.stacks import StackFile, all_stacks, stacks_folder


def examine_stack(
    stack: StackFile, project: Path, environments: Environments, logins: Logins
) -> list[Finding]:
    """What is found about one stack. From then on this process has that stack's environment."""
    environment = environments.of(stack.name)
    os.environ.clear()
    os.environ.update(environment)
    with closing(Subject(stack, project, environment, logins)) as subject:
        return examine(subject)


def main(names: Sequence[str]) -> None:
    """Look at the stacks of these names, of the project in this folder."""
    project = Path.cwd()
    stacks = {one.name: one for one in all_stacks(stacks_folder(project))}
    environments = Environments(dict(os.environ), tuple(stacks))
    environments.register_secrets()
    with closing(Logins()) as logins:
        for name in names:
            found = examine_stack(stacks[name], project, environments, logins)
            answer = {"stack": name, "findings": [asdict(one) for one in found]}
            print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it changes nothing, so there is nothing to finish
    main(sys.argv[1:])
