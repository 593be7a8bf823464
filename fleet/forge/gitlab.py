"""GitLab: notes of merge requests, issues, and artifacts of jobs. Source: GitLab's REST API v4."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from dynamic_providers.errors import register_secret
from fleet.forge.api import Api, ForgeError
from fleet.forge.variables import needed

REVIEW_JOB = "review"
"""The job of pipelines/gitlab that leaves the plan."""


class GitLab:
    """As a job of GitLab CI knows it. A job's own token may not write notes: GITLAB_TOKEN is a project's."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        token = needed(environment, "GITLAB_TOKEN")
        register_secret(token)
        self._environment = environment
        project = quote(needed(environment, "CI_PROJECT_ID"), safe="")
        self._api = Api(
            f"{needed(environment, 'CI_API_V4_URL')}/projects/{project}", {"PRIVATE-TOKEN": token}
        )

    def comment(self, marker: str, text: str) -> str:
        number = needed(
            self._environment, "CI_MERGE_REQUEST_IID", "run the job in a merge request's pipeline"
        )
        notes = f"/merge_requests/{number}/notes"
        body = {"body": f"<!-- {marker} -->\n{text}"}
        for one in self._api.pages(notes, per_page="100"):
            if str(one["body"]).startswith(f"<!-- {marker} -->"):
                self._api.ask("PUT", f"{notes}/{one['id']}", body)
                return f"note of merge request {number} written anew"
        self._api.ask("POST", notes, body)
        return f"merge request {number} commented"

    def issue(self, marker: str, title: str, text: str) -> str:
        number = self._open_issue(marker)
        if number:
            self._api.ask("PUT", f"/issues/{number}", {"title": title, "description": text})
            return f"issue {number} written anew"
        made = self._api.ask("POST", "/issues", {"title": title, "description": text, "labels": marker})
        return f"issue {made['iid']} opened"

    def close_issue(self, marker: str, text: str) -> str:
        number = self._open_issue(marker)
        if not number:
            return "no issue is open"
        self._api.ask("POST", f"/issues/{number}/notes", {"body": text})
        self._api.ask("PUT", f"/issues/{number}", {"state_event": "close"})
        return f"issue {number} closed"

    def approved(self, commit: str, name: str) -> bytes:
        found = self._api.ask("GET", f"/repository/commits/{quote(commit)}/merge_requests")
        merged = [one for one in found if one["state"] == "merged"]
        if not merged:
            raise ForgeError(
                f"commit {commit[:12]} came by no merge request", fix="nothing is approved; open one"
            )
        ref = quote(f"refs/merge-requests/{merged[0]['iid']}/head", safe="")
        return self._api.file(f"/jobs/artifacts/{ref}/raw/out/{quote(name)}", name, job=REVIEW_JOB)

    def _open_issue(self, marker: str) -> int:
        rows = self._api.pages("/issues", state="opened", labels=marker, per_page="100")
        return next((int(one["iid"]) for one in rows), 0)
