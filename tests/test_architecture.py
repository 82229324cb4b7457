"""Who may import whom, and that `import` and `--help` stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from degrade import OPERATORS, Compose

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "degrade": set(),
    "models": set(),
    "samplers": {"degrade"},
    "restore": {"degrade", "models", "samplers"},
    "recipes": {"degrade", "models", "samplers", "restore"},
    "benchmarks": {"degrade", "models", "samplers", "restore", "recipes"},
}
PACKAGES = [package for package in MAY_IMPORT if package != "benchmarks"]
OURS = {*MAY_IMPORT, "tests"}
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in MAY_IMPORT
    for path in sorted((ROOT / package).rglob("*.py"))
}
"""Every module by its name; a package's __init__ is one of its own, which importing what lies below it does not count as."""


def imported(tree: ast.AST, known: Collection[str] = ()) -> set[str]:
    """The modules that a file imports, wherever in it: under TYPE_CHECKING and in functions too.

    `from a import b` is an import of a.b where that is `known` as a module, of a elsewhere.
    """
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= inner & {*known} or {node.module}
            names |= {node.module} if inner - {*known} else set()
    return names


def circles(imports: Mapping[str, Collection[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module, and modules that import themselves."""

    def reached(start: str) -> set[str]:
        found, ahead = set(), [*imports[start]]
        while ahead:
            module = ahead.pop()
            if module not in found:
                found.add(module)
                ahead += imports[module]
        return found

    after = {module: reached(module) for module in imports}
    found = {frozenset(other for other in after[m] if m in after[other]) for m in imports if m in after[m]}
    return [set(circle) for circle in found]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_seams(package):
    """Nothing imports tests; and recipes only what measures them."""
    for path in (ROOT / package).rglob("*.py"):
        ours = {name.split(".")[0] for name in imported(tree(path))} & OURS - {package}
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {ours - MAY_IMPORT[package]}"


def test_no_circles():
    imports = {name: imported(tree(path), FILES) & {*FILES} for name, path in FILES.items()}
    assert len(imports["restore"]) > 5 and "degrade.lazy" in imports["samplers.driver"]
    assert circles(imports) == []


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"e"}}) in (
        [{"b", "c"}, {"e"}],
        [{"e"}, {"b", "c"}],
    )
    text = "if TYPE_CHECKING:\n    from a import b, c\ndef f():\n    import a.d"
    assert imported(ast.parse(text), {"a", "a.b"}) == {"a", "a.b", "a.d"}
    assert imported(ast.parse("from a import b"), {"a", "a.b"}) == {"a.b"}


NAMED = {
    "restore/recipe.py": {"GaussianNoise", "Compose"},
    "restore/pipelines/closed_form.py": {"GaussianNoise"},
    "restore/published/scheduler.py": {"GaussianNoise"},
    "restore/published/weights_file.py": {"GaussianNoise"},
}
"""What is undone unless another is named; since OPERATORS lacks it, among the types that a checkpoint may name; and what the
published models undo."""


@pytest.mark.parametrize("room", ["samplers", "restore", "recipes/command", "recipes/edit.py", "recipes/evaluate.py"])
def test_generic_code_names_no_operator(room):
    """What holds for any degradation asks for capabilities (`degrade.protocols`), not for the operators that have them."""
    operators = {operator.__name__ for operator in (*OPERATORS, Compose)}
    for path in [ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        found = {getattr(node, part, None) for node in ast.walk(tree(path)) for part in ("id", "attr", "name")} & operators
        assert found == NAMED.get(name, set()), f"{name} names {found}"


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
