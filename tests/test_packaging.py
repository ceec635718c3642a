"""What is in the wheel, and that nothing strays into the root."""

import shutil
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


def _files() -> list[Path]:
    """The checkout's files, relative to ROOT, without those that git ignores; without git all but what tools made."""
    command = ["git", "ls-files", "-coz", "--exclude-standard"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode == 0:
        found = [Path(name) for name in result.stdout.split("\0") if name]
    else:
        made = {"build", "dist", "__pycache__"}
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        found = [path for path in found if not any(p in made or p.startswith(".") for p in path.parts)]
    return [path for path in found if (ROOT / path).is_file()]


def test_every_folder_with_code_is_a_listed_package():
    assert PROJECT
    folders = {path.parent.parts for path in _files() if path.suffix == ".py"}
    found = {".".join(("semcolor", *parts)) for parts in folders if parts[:1] not in (("docs",), ("tests",))}
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_root_holds_no_stray_module():
    found = {path.name for path in ROOT.glob("*.py")}
    assert found - {"__main__.py"} == {"__init__.py", "errors.py"}


def test_imports_run_down_only():
    """The contracts in pyproject.toml hold: what `make lint` checks, too."""
    result = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> set[str]:
    """Names in a wheel built from a copy of the checkout: setuptools leaves a folder `build` where it builds."""
    folder, source = (tmp_path_factory.mktemp(name) for name in ("wheel", "source"))
    for path in _files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, source / path)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    result = subprocess.run([*command, str(source)], capture_output=True, text=True)
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
    for path in (ROOT / "jobs/desk/page").iterdir():
        assert f"semcolor/jobs/desk/page/{path.name}" in wheel
    assert "semcolor/py.typed" in wheel and "semcolor/pipeline/report/page.html" in wheel
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_wheel_holds_nothing_else(wheel):
    strangers = {n for n in wheel if not n.startswith("semcolor/") and ".dist-info/" not in n}
    assert not strangers
    assert not any(part in n for n in wheel for part in ("tests/", ".venv"))
    package = {n for n in wheel if n.startswith("semcolor/")}
    page = {".css", ".js", ".svg"}
    assert {Path(n).suffix for n in package} <= {".html", ".py", ".md", ".safetensors", ".typed"} | page
    assert all(n.startswith("semcolor/jobs/desk/page/") for n in package if Path(n).suffix in page)
    assert {n for n in package if n.endswith(".safetensors")} == {"semcolor/models/weights/semcolor.safetensors"}
