"""The project as a user starts it: by the real engine, from its own folder, with what the page says."""

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pulumi_azuread
import pulumi_tls

from tests.identity.entra import FOLDER
from tools.engine import engine_environment

ROOT = FOLDER.parent
PACKAGES = ("components", "dynamic_providers")


def test_the_engine_finds_the_program_and_its_packages_and_shows_all_mistakes(tmp_path: Path) -> None:
    folder = tmp_path / "project" / "identity"
    shutil.copytree(FOLDER, folder)
    for name in PACKAGES:
        (tmp_path / "project" / name).symlink_to(ROOT / name)
    environment = {**engine_environment(home=tmp_path / "home"), "PULUMI_CONFIG_PASSPHRASE": "practice"}
    (folder / "stacks" / "Pulumi.try.yaml").write_text(
        'config:\n  m365-secure-email-identity:role: admin\n  m365-secure-email-identity:name: ""\n'
    )

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *arguments, "--non-interactive"]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    assert pulumi("stack", "init", "try").returncode == 0
    previewed = pulumi("preview", "--stack", "try")
    assert previewed.returncode != 0
    said = [line.strip().split(" ")[0] for line in previewed.stdout.splitlines()]
    assert [word for word in said if word in {"name", "tenant", "role", "credentials"}] == [
        "name",
        "tenant",
        "role",
        "credentials",
    ]


def test_the_page_names_the_plugins_of_the_installed_packages() -> None:
    page = (ROOT / "docs" / "identity.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"pulumi plugin install resource (\w+) v(\S+)", page))
    installed = {}
    for package in (pulumi_azuread, pulumi_tls):
        about = json.loads(
            resources.files(package).joinpath("pulumi-plugin.json").read_text(encoding="utf-8")
        )
        installed[about["name"]] = about["version"]
    assert named == installed
