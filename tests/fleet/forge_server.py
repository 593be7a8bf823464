"""What `fleet pipeline` asks of GitHub, GitLab and Azure DevOps, answered as they document it."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, Any]
TOKEN = "job-token-of-practice"
HEAD, MERGED = "a" * 40, "b" * 40


def archive(name: str, content: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        packed.writestr(name, content)
    return held.getvalue()


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class Forge:
    """Comments and issues by number; `routes`: method and path → what answers."""

    comments: dict[int, str] = field(default_factory=dict)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    plan: bytes = b'{"approved": true}'
    head: str = HEAD
    merged: str = MERGED
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    next_page: str = ""

    def routes(self) -> dict[str, Callable[..., Answer]]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        raise NotImplementedError

    def allowed(self, headers: Any) -> bool:
        return str(headers.get("Authorization")) == f"Bearer {TOKEN}"

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        for route, work in self.routes().items():
            found = re.fullmatch(route, f"{asked.method} {asked.path}")
            if found:
                return work(asked, *found.groups())
        return 404, {"message": f"no {asked.method} {asked.path}"}

    def add(self, text: str) -> int:
        number = len(self.comments) + 1
        self.comments[number] = text
        return number

    def open_issue(self, **fields: Any) -> int:
        number = len(self.issues) + 7
        self.issues[number] = {"state": "open", **fields}
        return number


class GitHubServer(Forge):
    def environment(self) -> dict[str, str]:
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "contoso/mail",
            "GITHUB_REF": "refs/pull/12/merge",
        }

    def routes(self) -> dict[str, Callable[..., Answer]]:
        repo = "/repos/contoso/mail"
        return {
            f"GET {repo}/issues/12/comments": self._listed,
            f"POST {repo}/issues/12/comments": lambda a: (201, {"id": self.add(a.body["body"])}),
            f"PATCH {repo}/issues/comments/([0-9]+)": self._rewritten,
            f"GET {repo}/issues": self._open,
            f"POST {repo}/issues": lambda a: (201, {"number": self.open_issue(**a.body)}),
            f"PATCH {repo}/issues/([0-9]+)": self._changed,
            f"POST {repo}/issues/([0-9]+)/comments": lambda a, _n: (201, {"id": self.add(a.body["body"])}),
            f"GET {repo}/commits/{self.merged}/pulls": lambda _a: (
                200,
                [
                    {"number": 11, "merged_at": None, "head": {"sha": "c" * 40}},
                    {"number": 12, "merged_at": "2026-11-01T00:00:00Z", "head": {"sha": self.head}},
                ],
            ),
            f"GET {repo}/commits/{self.head}/pulls": lambda _a: (200, []),
            f"GET {repo}/actions/artifacts": self._artifacts,
            f"GET {repo}/actions/artifacts/([0-9]+)/zip": self._artifact,
        }

    def _listed(self, asked: Asked) -> Answer:
        """Two pages, ours on the second."""
        rows = [{"id": number, "body": body} for number, body in self.comments.items()]
        if "page" not in asked.query:
            self.next_page = f"{self.url}/repos/contoso/mail/issues/12/comments?page=2"
            return 200, [{"id": 99, "body": "Looks good to me"}]
        return 200, rows

    def _rewritten(self, asked: Asked, number: str) -> Answer:
        self.comments[int(number)] = asked.body["body"]
        return 200, {}

    def _open(self, asked: Asked) -> Answer:
        rows = [
            {"number": number, **one}
            for number, one in self.issues.items()
            if one["state"] == asked.query["state"] and asked.query["labels"] in one["labels"]
        ]
        return 200, [{"number": 3, "pull_request": {}}, *rows]

    def _changed(self, asked: Asked, number: str) -> Answer:
        self.issues[int(number)].update(asked.body)
        return 200, {}

    def _artifact(self, _asked: Asked, number: str) -> Answer:
        [held] = [one["holds"] for one in self.artifacts if one["id"] == int(number)]
        return 200, archive("approved.json", held.encode())

    def _artifacts(self, asked: Asked) -> Answer:
        return 200, {"artifacts": [one for one in self.artifacts if one["name"] == asked.query["name"]]}


class GitLabServer(Forge):
    def environment(self) -> dict[str, str]:
        return {
            "GITLAB_CI": "true",
            "GITLAB_TOKEN": TOKEN,
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_ID": "42",
            "CI_MERGE_REQUEST_IID": "12",
        }

    def allowed(self, headers: Any) -> bool:
        return str(headers.get("PRIVATE-TOKEN")) == TOKEN

    def routes(self) -> dict[str, Callable[..., Answer]]:
        notes = "/projects/42/merge_requests/12/notes"
        return {
            f"GET {notes}": lambda _a: (200, [{"id": n, "body": b} for n, b in self.comments.items()]),
            f"POST {notes}": lambda a: (201, {"id": self.add(a.body["body"])}),
            f"PUT {notes}/([0-9]+)": self._rewritten,
            "GET /projects/42/issues": self._open,
            "POST /projects/42/issues": lambda a: (201, {"iid": self.open_issue(**a.body)}),
            "PUT /projects/42/issues/([0-9]+)": self._changed,
            "POST /projects/42/issues/([0-9]+)/notes": lambda a, _n: (201, {"id": self.add(a.body["body"])}),
            f"GET /projects/42/repository/commits/{self.merged}/merge_requests": lambda _a: (
                200,
                [{"iid": 11, "state": "closed"}, {"iid": 12, "state": "merged"}],
            ),
            f"GET /projects/42/repository/commits/{self.head}/merge_requests": lambda _a: (200, []),
            "GET /projects/42/jobs/artifacts/refs/merge-requests/12/head/raw/out/approved.json": lambda a: (
                (200, self.plan) if a.query == {"job": "review"} else (404, {})
            ),
        }

    def _rewritten(self, asked: Asked, number: str) -> Answer:
        self.comments[int(number)] = asked.body["body"]
        return 200, {}

    def _open(self, asked: Asked) -> Answer:
        assert asked.query["state"] == "opened"
        rows = [
            {"iid": number}
            for number, one in self.issues.items()
            if one["state"] == "open" and asked.query["labels"] == one["labels"]
        ]
        return 200, rows

    def _changed(self, asked: Asked, number: str) -> Answer:
        event = asked.body.pop("state_event", None)
        self.issues[int(number)].update(asked.body, **({"state": "closed"} if event == "close" else {}))
        return 200, {}


class AzureDevOpsServer(Forge):
    def environment(self) -> dict[str, str]:
        return {
            "TF_BUILD": "True",
            "SYSTEM_ACCESSTOKEN": TOKEN,
            "SYSTEM_COLLECTIONURI": f"{self.url}/",
            "SYSTEM_TEAMPROJECTID": "project",
            "BUILD_REPOSITORY_ID": "repo",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "12",
            "SYSTEM_DEFINITIONID": "5",
        }

    def routes(self) -> dict[str, Callable[..., Answer]]:
        api = "/project/_apis"
        threads = f"{api}/git/repositories/repo/pullRequests/12/threads"
        return {
            f"GET {threads}": lambda _a: (200, {"value": self._threads()}),
            f"POST {threads}": lambda a: (200, {"id": self.add(a.body["comments"][0]["content"])}),
            f"PATCH {threads}/([0-9]+)/comments/1": self._rewritten,
            f"GET {api}/wit/workitemtypes/Task/states": lambda _a: (
                200,
                {
                    "value": [
                        {"name": "To Do", "category": "Proposed"},
                        {"name": "Done", "category": "Completed"},
                    ]
                },
            ),
            f"POST {api}/wit/wiql": self._open,
            rf"POST {api}/wit/workitems/\$Task": lambda a: (200, {"id": self.open_issue(**fields(a))}),
            f"PATCH {api}/wit/workitems/([0-9]+)": self._changed,
            f"POST {api}/git/repositories/repo/pullrequestquery": self._requests,
            f"GET {api}/build/builds": self._builds,
            f"GET {api}/build/builds/31/artifacts": lambda a: (
                200,
                {"resource": {"downloadUrl": f"{self.url}/download?name={a.query['artifactName']}"}},
            ),
            "GET /download": lambda _a: (200, archive("approved/approved.json", self.plan)),
        }

    def _threads(self) -> list[dict[str, Any]]:
        ours = [
            {"id": number, "comments": [{"id": 1, "content": body}]} for number, body in self.comments.items()
        ]
        return [{"id": 98, "comments": []}, {"id": 99, "comments": [{"id": 1}]}, *ours]

    def _rewritten(self, asked: Asked, number: str) -> Answer:
        self.comments[int(number)] = asked.body["content"]
        return 200, {}

    def _open(self, asked: Asked) -> Answer:
        query = asked.body["query"]
        assert "NOT IN ('Done')" in query
        open_ones = [{"id": n} for n, one in self.issues.items() if one.get("System.State") != "Done"]
        return 200, {"workItems": open_ones if "CONTAINS 'fleet-drift'" in query else []}

    def _changed(self, asked: Asked, number: str) -> Answer:
        self.issues[int(number)].update(fields(asked))
        return 200, {}

    def _requests(self, asked: Asked) -> Answer:
        [query] = asked.body["queries"]
        found = {self.merged: [{"pullRequestId": 12}]} if query["items"] == [self.merged] else {}
        return 200, {"results": [found]}

    def _builds(self, asked: Asked) -> Answer:
        right = asked.query["branchName"] == "refs/pull/12/merge" and asked.query["definitions"] == "5"
        return 200, {"value": [{"id": 31}] if right else []}


class TokenServer(Forge):
    """Where GitHub and Azure DevOps hand out a job's token."""

    given = 0

    def environment(self) -> dict[str, str]:
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/github?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": TOKEN,
        }

    def routes(self) -> dict[str, Any]:
        return {"GET /github": self._github, "POST /azure": self._azure}

    def _github(self, asked: Any) -> tuple[int, Any]:
        assert asked.query == {"api-version": "2.0", "audience": "api://AzureADTokenExchange"}
        self.given += 1
        return 200, {"value": f"header.github{self.given}.signature"}

    def _azure(self, asked: Any) -> tuple[int, Any]:
        assert asked.query == {"api-version": "7.1", "serviceConnectionId": "c0ffee"}
        return 200, {"oidcToken": "header.azure.signature"}


def fields(asked: Asked) -> dict[str, Any]:
    return {one["path"].removeprefix("/fields/"): one["value"] for one in asked.body}


class Listening:
    """A forge that listens, from `with` to its end."""

    def __init__(self, forge: Forge) -> None:
        self.forge = forge
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(forge))
        forge.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Forge:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self.forge

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(forge: Forge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            whole = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(whole.query).items()}
            asked = Asked(self.command, unquote(whole.path), query, json.loads(raw) if raw else None)
            status, answer = (
                forge.answer(asked) if forge.allowed(self.headers) else (401, {"message": "who?"})
            )
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if forge.next_page:
                self.send_header("Link", f'<{forge.next_page}>; rel="next"')
                forge.next_page = ""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = _do  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler
