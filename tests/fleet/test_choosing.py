"""Which stacks are meant: by name, label, what changed in git, and part of the whole."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from fleet.changed import changed_since
from fleet.sharing import Shard, groups
from fleet.stacks import NotChosen, StackFile, all_stacks, chosen, project_folder, stacks_folder
from tests.fleet.fleet_kit import gateway, named, project, write

SECRET = "thisIsASecret42"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project(tmp_path)
    write(tmp_path, "contoso-prod", labels={"ring": "one", "region": "eu"})
    write(tmp_path, "contoso-test", labels={"ring": "zero", "region": "eu"})
    write(tmp_path, "fabrikam-prod", labels={"ring": "one", "region": "us"})
    write(tmp_path, "hub", kind="gateway", labels={"ring": "two"})
    return tmp_path


@pytest.fixture
def stacks(folder: Path) -> list[StackFile]:
    return all_stacks(stacks_folder(folder))


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        ((), (), ["contoso-prod", "contoso-test", "fabrikam-prod", "hub"]),
        (("contoso-*",), (), ["contoso-prod", "contoso-test"]),
        (("hub", "*-test"), (), ["contoso-test", "hub"]),
        ((), ("ring=one",), ["contoso-prod", "fabrikam-prod"]),
        ((), ("ring=one", "ring=two"), ["contoso-prod", "fabrikam-prod", "hub"]),
        ((), ("ring=one", "region=eu"), ["contoso-prod"]),
        ((), ("kind=gateway",), ["hub"]),
        ((), ("ring!=zero", "ring!=two"), ["contoso-prod", "fabrikam-prod"]),
        ((), ("ring!=zero", "region=eu"), ["contoso-prod"]),
        ((), ("environment=prod", "gateway=of-fabrikam-prod"), ["fabrikam-prod"]),
        (("contoso-*",), ("ring=zero",), ["contoso-test"]),
    ],
)
def test_globs_widen_and_labels_narrow(
    stacks: list[StackFile], names: tuple[str, ...], labels: tuple[str, ...], expected: list[str]
) -> None:
    assert named(chosen(stacks, names=names, labels=labels)) == expected


@pytest.mark.parametrize(
    ("names", "labels", "says"),
    [
        (("contosso-*",), (), r"no stack is called «contosso-\*».*contoso-prod"),
        (("hub", "x"), (), "no stack is called «x»"),
        ((), ("ring=three",), "none of 4 stacks is labelled ring=three.*fleet list"),
        ((), ("ring",), "«ring» is no label. Write --label key=value or key!=value"),
    ],
)
def test_what_matches_nothing_is_a_slip_of_the_pen(
    stacks: list[StackFile], names: tuple[str, ...], labels: tuple[str, ...], says: str
) -> None:
    with pytest.raises(NotChosen, match=says):
        chosen(stacks, names=names, labels=labels)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"config:\n  m365-secure-email:outbound: {{secret: {SECRET}\n", r"is no YAML: line \d"),
        (f"config: !!python/object/apply:os.system [{SECRET}]\n", "is no YAML: line 1: could not determine"),
        (f"{SECRET}\n", "holds no section `config:`"),
        (f"config: {{other:key: {SECRET}}}\n", "holds nothing of m365-secure-email"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        ("config:\n  a: \x01\n", "a character that YAML does not allow"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_the_others_are_there(
    folder: Path, content: str | bytes, says: str
) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / "stacks" / "Pulumi.broken.yaml").write_bytes(raw)
    found = {one.name: one for one in all_stacks(folder / "stacks")}
    assert len(found) == 5
    problem = found["broken"].problem
    assert problem.startswith("stacks/Pulumi.broken.yaml ")
    assert re.search(says, problem), problem
    assert SECRET not in problem
    assert [one.problem for one in found.values() if one.name != "broken"] == [""] * 4


def test_the_project_is_found_from_below_and_missed_elsewhere(folder: Path, tmp_path: Path) -> None:
    assert project_folder(folder / "stacks") == folder.resolve()
    with pytest.raises(NotChosen, match=r"no Pulumi\.yaml here, nor above"):
        project_folder(Path("/proc"))


class TestSharing:
    def test_a_gateway_is_known_by_its_name_and_by_its_hosts(self, tmp_path: Path) -> None:
        project(tmp_path)
        a = write(tmp_path, "a", gateway=gateway("one", "esa1.example"))
        b = write(tmp_path, "b", gateway=gateway("one", "esa2.example"))
        c = write(tmp_path, "c", gateway=gateway("two", "ESA2.example."))
        d = write(tmp_path, "d", gateway=gateway("three", "esa3.example"))
        assert [named(group) for group in groups([a, c, d, b])] == [["a", "b", "c"], ["d"]]

    def test_a_gateways_own_stack_comes_first(self, tmp_path: Path) -> None:
        project(tmp_path)
        tenant = write(tmp_path, "a-tenant", gateway=gateway("hub"))
        hub = write(tmp_path, "the-hub", kind="gateway", gateway=gateway("hub"))
        assert [named(group) for group in groups([tenant, hub])] == [["the-hub", "a-tenant"]]

    @pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
    def test_parts_are_the_whole_even_and_never_share_a_gateway(self, tmp_path: Path, count: int) -> None:
        project(tmp_path)
        stacks = [
            write(tmp_path, f"s{i:02}", gateway=gateway(f"g{i % 9 if i < 20 else i}")) for i in range(30)
        ]
        parts = [Shard(number, count).of(stacks) for number in range(1, count + 1)]
        assert sorted(name for part in parts for name in named(part)) == named(stacks)
        where = [{one.gateway for one in part} for part in parts]
        assert sum(len(one) for one in where) == len(set().union(*where)), "a gateway is in two parts"
        sizes = sorted(len(part) for part in parts)
        assert sizes[-1] - sizes[0] <= 3, "the largest group"

    def test_a_part_is_the_same_whatever_the_order(self, tmp_path: Path) -> None:
        project(tmp_path)
        stacks = [write(tmp_path, f"s{i}", gateway=gateway(f"g{i % 4}")) for i in range(12)]
        there = named(Shard(2, 3).of(stacks))
        assert sorted(named(Shard(2, 3).of(stacks[::-1]))) == there

    @pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "a/b", "1", "1/2/3", "-1/3"])
    def test_what_is_no_part_is_refused(self, text: str) -> None:
        with pytest.raises(NotChosen, match="is no part of a whole"):
            Shard.read(text)


class TestChanged:
    @pytest.fixture
    def repository(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{name}_NAME", "test")
            monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@probe.example")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        git(folder, "init", "-q", "-b", "main")
        commit(folder)
        git(folder, "checkout", "-q", "-b", "work")
        return folder

    def test_committed_and_not_yet_committed_and_new(self, repository: Path, stacks: list[StackFile]) -> None:
        write(repository, "contoso-prod", mode="manage")
        commit(repository)
        write(repository, "hub", kind="gateway")
        write(repository, "new-prod")
        changed = changed_since("main", repository, all_stacks(repository / "stacks"))
        assert changed.names == {"contoso-prod", "hub", "new-prod"}
        assert changed.notes == ()
        assert named(chosen(stacks, names=["contoso-*"], changed=changed.names)) == ["contoso-prod"]

    def test_what_changed_on_the_other_branch_is_not_ours(
        self, repository: Path, stacks: list[StackFile]
    ) -> None:
        git(repository, "checkout", "-q", "main")
        write(repository, "contoso-prod", mode="manage")
        commit(repository)
        git(repository, "checkout", "-q", "work")
        assert changed_since("main", repository, stacks).names == frozenset()

    def test_a_change_of_the_program_is_a_change_of_all(
        self, repository: Path, stacks: list[StackFile]
    ) -> None:
        (repository / "components").mkdir()
        (repository / "components" / "relay.py").touch()
        changed = changed_since("HEAD", repository, stacks)
        assert changed.names == {one.name for one in stacks}
        assert changed.notes == ("the program itself changed (components/relay.py): all stacks are chosen",)

    def test_a_file_that_is_gone_is_said(self, repository: Path) -> None:
        (repository / "stacks" / "Pulumi.hub.yaml").unlink()
        changed = changed_since("main", repository, all_stacks(repository / "stacks"))
        assert changed.names == frozenset()
        assert "stacks/Pulumi.hub.yaml is gone: what it made stays" in changed.notes[0]

    def test_what_git_cannot_tell_is_an_error_not_nothing(
        self, repository: Path, tmp_path_factory: pytest.TempPathFactory, stacks: list[StackFile]
    ) -> None:
        with pytest.raises(NotChosen, match=r"git knows no commit «origin/main».*Fetch"):
            changed_since("origin/main", repository, stacks)
        with pytest.raises(NotChosen, match="git knows no commit «--all»"):
            changed_since("--all", repository, stacks)
        with pytest.raises(NotChosen, match="is in no git repository"):
            changed_since("main", project(tmp_path_factory.mktemp("plain")), stacks)


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a change")
