"""The documentation, without building it: its lists are complete, its links lead somewhere, its snippets can be read."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ("_build", "auto_gallery", "generated", "commands")
PAGES = [path for path in sorted((ROOT / "docs").rglob("*.md")) if not {*path.relative_to(ROOT).parts} & {*GENERATED}]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
LISTS = re.compile(r"(?:\.\. currentmodule:: (\w+)\n\n)?\.\. autosummary::\n(?: +:.*\n)+\n((?: +[\w.]+\n)+)")


def listed(page: str) -> list[str]:
    """The names that a page of the reference gives a page of their own, in full."""
    found = LISTS.findall((ROOT / "docs/reference" / page).read_text(encoding="utf-8"))
    return [f"{module}.{name}" if module else name for module, names in found for name in names.split()]


@pytest.mark.parametrize("package", ["degrade", "models", "samplers", "restore"])
def test_every_public_name_has_a_page(package):
    names = listed(f"{package}.md")
    assert len({*names}) == len(names)
    assert {*names} == {f"{package}.{name}" for name in importlib.import_module(package).__all__}


def test_further_names_are_there():
    names = listed("further.md")
    assert len(names) > 30
    for name in names:
        module, _, last = name.rpartition(".")
        assert hasattr(importlib.import_module(module), last), name


def blocks(language: str) -> list[tuple[str, str]]:
    """Place and text of the fenced blocks of a language."""
    fenced = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    found = [(path, text) for path in TEXTS for text in fenced.findall(path.read_text(encoding="utf-8"))]
    return [(f"{path.relative_to(ROOT)}: {text[:60]!r}", text) for path, text in found]


def test_python_parses_and_imports_what_there_is():
    scripts = [(path.name, path.read_text(encoding="utf-8")) for path in sorted((ROOT / "docs/gallery").glob("*.py"))]
    assert len(scripts) >= 10 and len(blocks("python")) > 10
    for place, text in scripts + blocks("python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    found = hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")
                    assert found, f"{place}: there is no {node.module}.{alias.name}"


@pytest.mark.parametrize("page", ["concepts/protocol.md", "concepts/samplers.md"])
def test_snippets_of_the_concepts(page):
    """As they are."""
    names: dict = {}
    for text in re.findall(r"(?ms)^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(encoding="utf-8")):
        exec(compile(text, page, "exec"), names)
    if "error" in names:
        assert names["error"] < 1e-5 and names["times"].shape == (11,)
    else:
        assert names["blurred"].shape == names["snowy"].shape == (2, 3, 64, 64)


def test_shell_scripts_parse():
    assert blocks("bash")
    for place, text in blocks("bash"):
        done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{place}: {done.stderr}"


def test_links_lead_to_files():
    """Relative ones, as whoever reads the files where they are hosted follows them."""
    for path in TEXTS:
        text = re.sub(r"(?ms)^```.*?^```", "", path.read_text(encoding="utf-8"))
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            assert link.startswith("https://") or (path.parent / link).exists(), f"{path.relative_to(ROOT)}: {link}"


def test_every_page_is_found_from_the_first():
    """Each is named in a table of contents; what is generated has a pattern there."""
    tables = re.compile(r"(?ms)^```\{toctree\}\n(.*?)^```")
    named = set()
    for path in PAGES:
        for table in tables.findall(path.read_text(encoding="utf-8")):
            entries = [line.strip() for line in table.splitlines() if line.strip() and not line.startswith(":")]
            named |= {(path.parent / f"{entry}.md").resolve() for entry in entries}
    missing = {*PAGES} - named - {ROOT / "docs/index.md"}
    assert not missing, f"add {sorted(path.name for path in missing)} to docs/index.md"


def test_headings_that_are_linked_to_are_there():
    for path in TEXTS:
        for file, anchor in re.findall(r"\]\(([\w./-]*\.md)#([\w-]+)\)", path.read_text(encoding="utf-8")):
            headings = re.findall(r"(?m)^#+ (.*)$", (path.parent / file).read_text(encoding="utf-8"))
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{path.relative_to(ROOT)}: {file}#{anchor}"
