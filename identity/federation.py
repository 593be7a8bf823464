"""Whose tokens an app registration trusts: issuer and subject, which a token has to match letter by letter.

Sources: GitHub, «OpenID Connect reference»; GitLab, «OpenID Connect in GitLab CI/CD»; Microsoft Learn,
«Configure an app to trust an external identity provider», «Workload identity on AKS».
"""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from dynamic_providers import addresses, wording
from dynamic_providers.field_types import HttpsUrl
from dynamic_providers.model import Model
from dynamic_providers.refusal import refuse

AUDIENCE: Final = "api://AzureADTokenExchange"
"""What `fleet pipeline identity` asks the pipeline's vendor for, and Kubernetes gives by itself."""
MOST: Final = 20
"""So many an app registration can have. Source: Microsoft Learn, «Federated identity credentials»."""


def _issuer(text: str) -> str:
    """An https address, kept as it is written: the / at its end is part of it."""
    addresses.https_url(text)
    return text


def _word(text: str) -> str:
    if not all(one.isalnum() or one in "._/-" for one in text) or not text.isascii() or not text:
        refuse("is no such name: write it as in the address bar; letters, digits, dot, _, - and /")
    return text


def _subject(text: str) -> str:
    return wording.one_line(text, 600)


Issuer = Annotated[str, AfterValidator(_issuer)]
Subject = Annotated[str, AfterValidator(_subject)]
Word = Annotated[str, AfterValidator(_word)]
Number = Annotated[int, Field(strict=True, ge=1)]


class GitHub(Model):
    """The jobs of a repository on github.com that name an environment."""

    repository: Word = Field(description="OWNER/REPOSITORY.")
    environment: Word = Field(description="The environment that the job names.")
    owner_id: Number | None = Field(
        None,
        description="The owner's number: part of the subject of repositories that were made after 2026-07-15,"
        " or have opted in.",
    )
    repository_id: Number | None = Field(None, description="The repository's number, likewise.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.repository.count("/") != 1:
            refuse("names no repository: write OWNER/REPOSITORY")
        if (self.owner_id is None) != (self.repository_id is None):
            refuse("has one of ownerId and repositoryId: give both, or neither")
        return self

    def trusted(self) -> tuple[str, str]:
        """Issuer and subject."""
        owner, repository = self.repository.split("/")
        if self.owner_id is not None:
            owner, repository = f"{owner}@{self.owner_id}", f"{repository}@{self.repository_id}"
        subject = f"repo:{owner}/{repository}:environment:{self.environment}"
        return "https://token.actions.githubusercontent.com", subject


class GitLab(Model):
    """The jobs of a project's branch; GitLab's tokens name no environment in their subject."""

    project: Word = Field(description="GROUP/PROJECT.")
    branch: Word = Field("main", description="The branch that is protected.")
    url: HttpsUrl = Field("https://gitlab.com", description="The GitLab.")

    def trusted(self) -> tuple[str, str]:
        """Issuer and subject."""
        return self.url, f"project_path:{self.project}:ref_type:branch:ref:{self.branch}"


class AzureDevOps(Model):
    """A service connection; both as it shows them. New ones have an issuer of Entra's."""

    issuer: Issuer = Field(description="Issuer, as the service connection shows it.")
    subject: Subject = Field(description="Subject identifier, as the service connection shows it.")

    def trusted(self) -> tuple[str, str]:
        """Issuer and subject."""
        return self.issuer, self.subject


class Kubernetes(Model):
    """The pods of a service account."""

    issuer: Issuer = Field(description="The cluster's OIDC issuer, as `az aks show` says it, / and all.")
    namespace: Word = Field(description="The namespace of the pods.")
    service_account: Word = Field(description="Their service account.")

    def trusted(self) -> tuple[str, str]:
        """Issuer and subject."""
        return self.issuer, f"system:serviceaccount:{self.namespace}:{self.service_account}"


class Workload(Model):
    """What may log in without a secret: one of these."""

    github: GitHub | None = Field(None, description="A repository on GitHub, and an environment.")
    gitlab: GitLab | None = Field(None, description="A project on GitLab, and a branch.")
    azure_dev_ops: AzureDevOps | None = Field(None, description="A service connection of Azure DevOps.")
    kubernetes: Kubernetes | None = Field(None, description="A service account of Kubernetes.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self._given()) != 1:
            refuse("names not exactly one: give github, gitlab, azureDevOps or kubernetes")
        return self

    def trusted(self) -> tuple[str, str]:
        """Issuer and subject of its tokens."""
        return self._given()[0].trusted()

    def _given(self) -> list[GitHub | GitLab | AzureDevOps | Kubernetes]:
        named = (self.github, self.gitlab, self.azure_dev_ops, self.kubernetes)
        return [one for one in named if one is not None]
