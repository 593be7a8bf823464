"""GitHub: comments of pull requests, issues, artifacts of workflow runs. Source: its REST API, 2022-11-28."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from dynamic_providers.errors import register_secret
from fleet.forge.api import Api, ForgeError
from fleet.forge.variables import needed


class GitHub:
    """As a job of GitHub Actions knows it: GITHUB_TOKEN is the job's own and ends with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        token = needed(
            environment, "GITHUB_TOKEN", "add `env: GITHUB_TOKEN: ${{ github.token }}` to the step"
        )
        register_secret(token)
        self._environment = environment
        self._api = Api(
            f"{needed(environment, 'GITHUB_API_URL')}/repos/{needed(environment, 'GITHUB_REPOSITORY')}",
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def comment(self, marker: str, text: str) -> str:
        ref = self._environment.get("GITHUB_REF", "")
        number = re.fullmatch(r"refs/pull/([0-9]+)/merge", ref)
        if number is None:
            raise ForgeError(f"the job runs for {ref or 'nothing'}, which is no pull request")
        comments = f"/issues/{number[1]}/comments"
        body = {"body": f"<!-- {marker} -->\n{text}"}
        for one in self._api.pages(comments, per_page="100"):
            if str(one["body"]).startswith(f"<!-- {marker} -->"):
                self._api.ask("PATCH", f"/issues/comments/{one['id']}", body)
                return f"comment of pull request {number[1]} written anew"
        self._api.ask("POST", comments, body)
        return f"pull request {number[1]} commented"

    def issue(self, marker: str, title: str, text: str) -> str:
        number = self._open_issue(marker)
        if number:
            self._api.ask("PATCH", f"/issues/{number}", {"title": title, "body": text})
            return f"issue {number} written anew"
        made = self._api.ask("POST", "/issues", {"title": title, "body": text, "labels": [marker]})
        return f"issue {made['number']} opened"

    def close_issue(self, marker: str, text: str) -> str:
        number = self._open_issue(marker)
        if not number:
            return "no issue is open"
        self._api.ask("POST", f"/issues/{number}/comments", {"body": text})
        self._api.ask("PATCH", f"/issues/{number}", {"state": "closed"})
        return f"issue {number} closed"

    def approved(self, commit: str, name: str) -> bytes:
        pulls = [one for one in self._api.ask("GET", f"/commits/{quote(commit)}/pulls") if one["merged_at"]]
        if not pulls:
            raise ForgeError(
                f"commit {commit[:12]} came by no pull request", fix="nothing is approved; open one"
            )
        head = str(pulls[0]["head"]["sha"])
        listed = self._api.ask("GET", "/actions/artifacts", name=f"approved-{head}", per_page="100")
        # Any run may give an artifact any name: only one that ran for this very commit counts.
        mine = [
            one
            for one in listed["artifacts"]
            if not one["expired"] and one["workflow_run"]["head_sha"] == head
        ]
        if not mine:
            raise ForgeError(
                f"the review of pull request {pulls[0]['number']} left no plan for its commit {head[:12]}",
                fix="look at its review job; a plan is kept for as long as artifacts are",
            )
        newest = max(mine, key=lambda one: str(one["created_at"]))
        return self._api.file(f"/actions/artifacts/{newest['id']}/zip", name)

    def _open_issue(self, marker: str) -> int:
        rows = self._api.pages("/issues", state="open", labels=marker, per_page="100")
        return next((int(one["number"]) for one in rows if "pull_request" not in one), 0)
