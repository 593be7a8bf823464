"""Which forge this job runs on, and what is asked of any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from dynamic_providers.errors import ManagedError
from fleet.forge.azure_devops import AzureDevOps
from fleet.forge.github import GitHub
from fleet.forge.gitlab import GitLab


class Forge(Protocol):
    """GitHub, Azure DevOps or GitLab, as the job that we run in knows it."""

    def comment(self, marker: str, text: str) -> str:
        """Write the one comment with this marker on the job's request, or write it anew; say which."""

    def issue(self, marker: str, title: str, text: str) -> str:
        """Open the one issue that is labelled with the marker, or write it anew."""

    def close_issue(self, marker: str, text: str) -> str:
        """Close it, if it is open, with a last word."""

    def approved(self, commit: str, name: str) -> bytes:
        """The file that the review of the request left, by which this commit came into the branch."""


class NoForge(ManagedError):
    """This is no job of a pipeline."""


KNOWN_BY: Mapping[str, Callable[[Mapping[str, str]], Forge]] = {
    "GITHUB_ACTIONS": GitHub,
    "GITLAB_CI": GitLab,
    "TF_BUILD": AzureDevOps,
}
"""Variable that a vendor sets in every job → its forge."""


def forge_of(environment: Mapping[str, str]) -> Forge:
    """The forge of this job. Raises NoForge, or ManagedError where the job lacks a variable."""
    for variable, forge in KNOWN_BY.items():
        if environment.get(variable):
            return forge(environment)
    raise NoForge("this is no job of GitHub Actions, Azure DevOps or GitLab", fix="run it in a pipeline")
