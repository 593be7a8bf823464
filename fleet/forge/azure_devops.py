"""Azure DevOps: threads of pull requests, work items, and artifacts of builds. Source: its REST API 7.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt

from dynamic_providers.errors import register_secret
from fleet.forge.api import Api, ForgeError
from fleet.forge.variables import needed

ARTIFACT = "approved"
_VERSION = "7.1"
_PATCH = "application/json-patch+json"
_OVER = ("Completed", "Removed")
_OPEN = (
    "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project"
    " AND [System.WorkItemType] = 'Task' AND [System.Tags] CONTAINS '{marker}'"
    " AND [System.State] NOT IN ({over}) ORDER BY [System.Id]"
)


class AzureDevOps:
    """As a job of Azure Pipelines knows it: SYSTEM_ACCESSTOKEN is the job's own and ends with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        token = needed(
            environment, "SYSTEM_ACCESSTOKEN", "add `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`"
        )
        register_secret(token)
        self._environment = environment
        collection = needed(environment, "SYSTEM_COLLECTIONURI").rstrip("/")
        project = needed(environment, "SYSTEM_TEAMPROJECTID")
        self._bearer = {"Authorization": f"Bearer {token}"}
        self._api = Api(f"{collection}/{project}/_apis", self._bearer)
        self._patches = Api(self._api.base, {**self._bearer, "Content-Type": _PATCH})
        self._repository = f"/git/repositories/{needed(environment, 'BUILD_REPOSITORY_ID')}"

    def comment(self, marker: str, text: str) -> str:
        number = needed(
            self._environment, "SYSTEM_PULLREQUEST_PULLREQUESTID", "run it by the branch's build validation"
        )
        threads = f"{self._repository}/pullRequests/{number}/threads"
        content = f"<!-- {marker} -->\n{text}"
        for thread in self._ask("GET", threads)["value"]:
            first = thread["comments"][0] if thread.get("comments") else {}
            if str(first.get("content") or "").startswith(f"<!-- {marker} -->"):
                self._ask("PATCH", f"{threads}/{thread['id']}/comments/{first['id']}", {"content": content})
                return f"comment of pull request {number} written anew"
        comment = {"parentCommentId": 0, "commentType": "text", "content": content}
        # Closed: it informs, and must not hold up a request whose policy asks for resolved comments.
        self._ask("POST", threads, {"comments": [comment], "status": "closed"})
        return f"pull request {number} commented"

    def issue(self, marker: str, title: str, text: str) -> str:
        fields = {"System.Title": title, "System.Description": _html(text)}
        number = self._open_item(marker)
        if number:
            self._change(number, fields)
            return f"work item {number} written anew"
        made = self._patch("POST", "/wit/workitems/$Task", {**fields, "System.Tags": marker})
        return f"work item {made['id']} opened"

    def close_issue(self, marker: str, text: str) -> str:
        number = self._open_item(marker)
        if not number:
            return "no work item is open"
        done = next(one["name"] for one in self._states() if one["category"] == "Completed")
        self._change(number, {"System.State": done, "System.History": _html(text)})
        return f"work item {number} closed"

    def approved(self, commit: str, name: str) -> bytes:
        query = {"queries": [{"type": "lastMergeCommit", "items": [commit]}]}
        found = self._ask("POST", f"{self._repository}/pullrequestquery", query)["results"]
        numbers = [one["pullRequestId"] for row in found for requests in row.values() for one in requests]
        if not numbers:
            raise ForgeError(
                f"commit {commit[:12]} came by no pull request", fix="nothing is approved; open one"
            )
        builds = self._ask(
            "GET",
            "/build/builds",
            definitions=needed(self._environment, "SYSTEM_DEFINITIONID"),
            branchName=f"refs/pull/{numbers[0]}/merge",
            resultFilter="succeeded,partiallySucceeded",
            queryOrder="finishTimeDescending",
        )["value"]
        if not builds:
            raise ForgeError(
                f"pull request {numbers[0]} has no review that succeeded",
                fix="look at its build validation; a plan is kept for as long as builds are",
            )
        listed = self._ask("GET", f"/build/builds/{builds[0]['id']}/artifacts", artifactName=ARTIFACT)
        # The address is another host's; `requests` sends our header there, as the documentation has it.
        whole = Api(str(listed["resource"]["downloadUrl"]), self._bearer)
        return whole.file("", name)

    def _open_item(self, marker: str) -> int:
        over = ", ".join(f"'{one['name']}'" for one in self._states() if one["category"] in _OVER)
        found = self._ask("POST", "/wit/wiql", {"query": _OPEN.format(marker=marker, over=over)})["workItems"]
        return int(found[0]["id"]) if found else 0

    def _states(self) -> Sequence[Mapping[str, str]]:
        """What a task's states are called depends on the project's process; their categories do not."""
        states: list[Mapping[str, str]] = self._ask("GET", "/wit/workitemtypes/Task/states")["value"]
        return states

    def _change(self, number: int, fields: Mapping[str, str]) -> None:
        self._patch("PATCH", f"/wit/workitems/{number}", fields)

    def _patch(self, method: str, path: str, fields: Mapping[str, str]) -> Any:
        body = [{"op": "add", "path": f"/fields/{name}", "value": value} for name, value in fields.items()]
        return self._patches.ask(method, path, body, **{"api-version": _VERSION})

    def _ask(self, method: str, path: str, body: object = None, **parameters: str) -> Any:
        return self._api.ask(method, path, body, **{**parameters, "api-version": _VERSION})


def _html(text: str) -> str:
    """A work item's text is HTML."""
    return str(MarkdownIt("commonmark").enable("table").render(text))
