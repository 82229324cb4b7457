"""Who may import whom, and that `import` and `--help` stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from degrade import OPERATORS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"degrade", "models", "samplers", "restore", "recipes"}
MAY_IMPORT = {
    "degrade": set(),
    "models": set(),
    "samplers": {"degrade"},
    "restore": {"degrade", "models", "samplers"},
    "recipes": PACKAGES,
}


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_seams(package):
    for file in (ROOT / package).rglob("*.py"):
        ours = imported(file) & PACKAGES - {package}
        assert ours <= MAY_IMPORT[package], f"{file.name} imports {ours - MAY_IMPORT[package]}"


@pytest.mark.parametrize("package", ["samplers", "restore"])
def test_generic_code_names_no_operator(package):
    """What holds for any degradation asks for capabilities (`degrade.protocols`), not for the operators that have them."""
    defaults = {"recipe.py", "closed_form.py"}  # what is undone unless another is named
    operators = {operator.__name__ for operator in OPERATORS}
    for file in (ROOT / package).rglob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        found = {getattr(node, part, None) for node in nodes for part in ("id", "attr", "name")} & operators
        assert not found or file.name in defaults, f"{file.name} names {found}"


MODULES = ["degrade", "samplers", "restore", "models", "recipes.sindiffusion", "recipes.simple_diffusion", "recipes.edit"]


@pytest.mark.parametrize("module", MODULES)
def test_import_does_not_load_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'kornia' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("recipe", "args"),
    [
        ("sindiffusion", ["--help"]),
        ("sindiffusion", ["train", "--help"]),
        ("sindiffusion", ["sample", "--help"]),
        ("simple_diffusion", ["train", "--help"]),
        ("edit", ["panorama", "--help"]),
    ],
)
def test_help_does_not_load_torch(recipe, args, tmp_path):
    """Run as a file from another folder, with a blocker in place of torch."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was loaded')")
    result = subprocess.run(
        [sys.executable, ROOT / "recipes" / f"{recipe}.py", *args],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert f"usage: {recipe}.py" in result.stdout


def test_recipes_find_their_own_packages(tmp_path):
    """A stray `models` package does not win, from any working directory."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise SystemExit('the stray package was imported')")
    result = subprocess.run(
        [sys.executable, ROOT / "recipes" / "sindiffusion.py", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
