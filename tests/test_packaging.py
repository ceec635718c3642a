"""What is in the wheel, and that nothing strays into the root."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import semcolor

ROOT = Path(semcolor.__path__[0])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text()) if (ROOT / "pyproject.toml").exists() else None

pytestmark = pytest.mark.skipif(PROJECT is None, reason="semcolor is installed here without its checkout")


def test_every_folder_with_code_is_a_listed_package():
    assert PROJECT
    found = {"semcolor"}
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True
    )
    files = [ROOT / line for line in tracked.stdout.splitlines()] or list(ROOT.rglob("*.py"))
    for path in files:
        folder = path.parent.relative_to(ROOT).as_posix()
        if folder.split("/")[0] not in (".", "docs", "tests"):
            found.add("semcolor." + folder.replace("/", "."))
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_root_holds_no_stray_module():
    assert {p.name for p in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "errors.py"}


def test_imports_run_down_only():
    """The contracts in pyproject.toml hold: what `make lint` checks, too."""
    result = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> set[str]:
    """Names in a wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    result = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(path).namelist())


def test_wheel_holds_all_code_and_the_weights(wheel):
    assert PROJECT
    for package in PROJECT["tool"]["setuptools"]["packages"]:
        folder = ROOT / Path(*package.split(".")[1:])
        for path in folder.glob("*.py"):
            assert f"{package.replace('.', '/')}/{path.name}" in wheel
    assert "semcolor/models/weights/semcolor.safetensors" in wheel
    assert "semcolor/models/weights/README.md" in wheel
    assert "semcolor/py.typed" in wheel
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_wheel_holds_nothing_else(wheel):
    strangers = {n for n in wheel if not n.startswith("semcolor/") and ".dist-info/" not in n}
    assert not strangers
    assert not any(part in n for n in wheel for part in ("tests/", ".venv", "checkpoint.pt"))
