"""What is installed: all packages, typed, of one version; and what is said where others of their names come first."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from _thaw import PACKAGES, VERSION
from recipes.command.main import thaw

ROOT = Path(__file__).resolve().parents[1]


def test_setup_names_every_package():
    """Each folder with Python files in it; and the five are typed."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = {file.parent.relative_to(ROOT) for package in PACKAGES for file in (ROOT / package).rglob("*.py")}
    assert setup["options"]["packages"].split() == sorted(".".join(folder.parts) for folder in folders)
    assert all((ROOT / folder / "__init__.py").exists() for folder in folders)
    assert all((ROOT / package / "py.typed").exists() for package in PACKAGES)
    assert setup["options.package_data"]["*"] == "py.typed" and {*setup["mypy"]["files"].split(",")} > {*PACKAGES}


def test_one_version(capsys):
    thaw(["--version"])
    assert capsys.readouterr().out == f"thaw {VERSION}\n"
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {VERSION} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "file", "name"),
    [
        ("import restore", "models.py", "models"),
        ("import samplers", "degrade/__init__.py", "degrade"),
        ("import _thaw; _thaw.main()", "recipes/__init__.py", "recipes"),
    ],
)
def test_another_package_of_the_name(code, file, name, tmp_path):
    """In the current folder: one line says which path it is, and which of ours it hides."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("raise SystemExit('the stray package was imported')")
    result = python(code, tmp_path)
    found = tmp_path / file if file == "models.py" else tmp_path / name
    expected = f"Python finds {found} in place of Thaw's package {name}, {ROOT / name}: rename it, or take it off Python's path"
    assert result.returncode == 1 and expected in result.stderr.splitlines()[-1]
    assert re.match("error: Python finds", result.stderr) or "main()" not in code


def test_folders_without_code_hide_nothing(tmp_path):
    """models/ with weights in it, such as many projects have."""
    (tmp_path / "models").mkdir()
    assert python("import _thaw; _thaw.own(*_thaw.PACKAGES)", tmp_path).returncode == 0


def python(code: str, cwd: Path) -> subprocess.CompletedProcess:
    """Runs code with the current folder first on the path, the project second."""
    code = f"import sys; sys.path[:1] = ['', {str(ROOT)!r}]; {code}"
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)
