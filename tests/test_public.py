"""The public face of the package: names, documentation, types, and how little `import semcolor` imports."""

import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import semcolor

PUBLIC = [
    "AssembleError",
    "Film",
    "FilmError",
    "InputError",
    "Look",
    "OutputError",
    "SemcolorError",
    "Sheet",
    "ShotColor",
    "UserError",
    "WorkError",
    "__version__",
    "colorize",
    "follow",
    "label_map",
    "open_film",
    "own_colors",
    "read_sheet",
    "still",
]
"""Written out: whoever changes the public face changes this list, and the change log."""

HEAVY = ("torch", "cv2", "av", "ray", "pydantic", "numpy", "openvino", "typer", "rich")


def test_the_public_names_are_these():
    assert sorted(semcolor.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(semcolor))


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_every_public_name_is_documented_and_typed(name):
    value = getattr(semcolor, name)
    assert inspect.getdoc(value)
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())
        assert typing.get_type_hints(value)  # every annotation can be resolved


def test_the_errors_are_one_tree():
    errors = [getattr(semcolor, name) for name in PUBLIC if name.endswith("Error")]
    assert all(issubclass(error, semcolor.SemcolorError) for error in errors)
    assert issubclass(semcolor.InputError, semcolor.UserError)
    assert issubclass(semcolor.OutputError, semcolor.UserError)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="colorize_all"):
        semcolor.colorize_all  # noqa: B018 # pyright: ignore[reportAttributeAccessIssue]


def test_types_are_shipped():
    assert (Path(semcolor.__path__[0]) / "py.typed").is_file()


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)


def test_importing_semcolor_imports_nothing_heavy():
    code = f"import semcolor, sys; dir(semcolor); print([n for n in {HEAVY!r} if n in sys.modules])"
    result = _python("-c", code)
    assert result.stdout == "[]\n", result.stderr


def test_a_film_is_opened_without_torch_and_ray():
    code = "import semcolor, sys; semcolor.open_film; print([n for n in ('torch', 'ray') if n in sys.modules])"
    result = _python("-c", code)
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.parametrize(
    "arguments, command",
    [
        (["--help"], "semcolor-video"),
        (["video", "--help"], "semcolor-video"),
        (["batch", "--help"], "semcolor-batch"),
        (["train", "--help"], "train"),
    ],
)
def test_python_m_semcolor_runs_the_commands(arguments, command):
    result = _python("-m", "semcolor", *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n\n")[0].lstrip().startswith("Usage:")
    assert command in result.stdout or command == "train"


def test_python_m_semcolor_tells_mistakes_as_the_command_does(tmp_path):
    result = _python("-m", "semcolor", str(tmp_path / "missing.mp4"))
    assert result.returncode == 2
    assert result.stderr.startswith("semcolor-video: ") and "no such file" in result.stderr
