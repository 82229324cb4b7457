"""The studio in a real browser: what is painted and pressed there gives the pictures of the command line; what goes wrong is
one line; nothing is asked of another machine."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from restore.training.session import train
from tests.browser import browser, browser_path, served
from tests.conftest import draw_photo
from tests.tiny import tiny

SOON = 120_000
"""Milliseconds: never waited for where all is well."""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The folder that the studio runs in, with a photograph, and a run of it."""
    browser_path()
    home = tmp_path_factory.mktemp("studio")
    draw_photo(home / "photo.png")
    train(tiny(home / "photo.png"), home / "runs" / "small")
    return home


@pytest.fixture(scope="module")
def address(home):
    with served(home, "photo.png") as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


@pytest.fixture
def tab(chromium, address):
    """Opens the studio in a new tab. Whatever a tab asks for, it asks of this machine."""
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))

    def opened(page: str = "New images") -> Any:
        tab = context.new_page()
        tab.set_default_timeout(SOON)
        tab.goto(address)
        tab.get_by_role("tab", name=page, exact=True).click()
        return tab

    yield opened
    assert asked and not [url for url in asked if not url.startswith((address, "blob:", "data:"))]
    context.close()


def says(tab: Any, name: str, text: str) -> None:
    tab.locator(f"#{name}-said", has_text=text).wait_for()


def until(tab: Any, true: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON / 1000
    while not true():
        assert time.monotonic() < end, "nothing came of it"
        tab.wait_for_timeout(300)


def paint(tab: Any, name: str, middle: NDArray[Any]) -> None:
    """A stroke through the middle of the editor, once a picture with that `middle` is drawn there."""
    canvas = tab.locator(f"#{name}-editor canvas").first
    canvas.wait_for()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def off() -> int:
        shot = tab.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
        return int(np.abs(np.asarray(Image.open(BytesIO(shot)).convert("RGB"))[0, 0] - middle).max())

    until(tab, lambda: off() < 40)
    tab.mouse.move(x - 15, y - 8)
    tab.mouse.down()
    tab.mouse.move(x + 15, y + 8, steps=4)
    tab.mouse.up()
    until(tab, lambda: off() > 40)
    tab.wait_for_timeout(500)


def downloaded(tab: Any, name: str, file: str, home: Path) -> Path:
    with tab.expect_download() as download:
        tab.locator(f"#{name}-files a[download='{file}']").click()
    download.value.save_as(home / file)
    return home / file


def by_command(tab: Any, name: str, home: Path, out: Path, monkeypatch) -> Path:
    """Runs the command that a page shows, with another folder for its results, which is returned."""
    line = tab.locator(f"#{name}-command .cm-content").inner_text().replace("\n", " ")
    _, recipe, *args = shlex.split(line)
    args[args.index("--out") + 1] = str(out)
    monkeypatch.chdir(home)
    import_module(f"recipes.{Path(recipe).stem}").main(args)
    return out


def same(one: Path, other: Path) -> bool:
    return np.array_equal(np.asarray(Image.open(one)), np.asarray(Image.open(other)))


@pytest.mark.parametrize(
    ("title", "name", "file"), [("Inpaint", "inpaint", "seed-0.png"), ("Strokes", "strokes", "severity-0.5-seed-0.png")]
)
def test_what_is_painted_gives_the_picture_of_the_command(title, name, file, tab, home, tmp_path, monkeypatch):
    """Upload, paint, make, download."""
    picture = 255 - np.asarray(Image.open(home / "photo.png")).astype(int)
    Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "other.png")
    page = tab(title)
    page.set_input_files("#source input[type=file]", tmp_path / "other.png")
    paint(page, name, picture[20, 28])
    page.click(f"#{name}-go")
    got = downloaded(page, name, file, tmp_path)
    assert same(got, by_command(page, name, home, tmp_path / "made", monkeypatch) / file)
    assert "inputs/other-" in Image.open(got).text["command"]
    change = np.abs(np.asarray(Image.open(got)).astype(int) - picture).max(-1)
    assert change[18:22, 24:32].max() > 20
    if name == "inpaint":
        assert change[:12].max() <= 1 and change[28:].max() <= 1


def test_new_images(tab, home, tmp_path, monkeypatch):
    page = tab()
    page.fill("#new-count input", "1")
    page.fill("#new-seed input", "3")
    page.fill("#new-size input, #new-size textarea", "20x30")
    page.click("#new-go")
    got = downloaded(page, "new", "20x30-seed-3.png", tmp_path)
    assert same(got, by_command(page, "new", home, tmp_path / "made", monkeypatch) / "20x30-seed-3.png")
    assert Image.open(got).text["seed"] == "3" and " --seed 3" in Image.open(got).text["command"]
    page.fill("#new-size input, #new-size textarea", "20")
    page.click("#new-go")
    says(page, "new", "a size is HEIGHTxWIDTH in pixels, such as 128x384")


def test_numbers_out_of_range(tab, home):
    """Typed into a field: a line in the page, and none in the terminal."""
    page = tab()
    for name, typed, words in (
        ("count", "-1", "Images: a number from 1 to 16 is expected, got -1."),
        ("count", "1e9", "Images: a number from 1 to 16 is expected, got 1000000000."),
        ("count", "", "Images: a number from 1 to 16 is expected, got none."),
        ("seed", "-3", "Seed: a number of 0 or more is expected, got -3."),
    ):
        page.fill("#new-count input", "1")
        page.fill(f"#new-{name} input", typed)
        page.click("#new-go")
        says(page, "new", words)
    page = tab("Training")
    page.fill("#training-minutes input", "-1")
    page.click("#training-learn")
    page.locator("#training-answer", has_text="Minutes: a number of 0.05 or more is expected, got -1.").wait_for()
    assert "Traceback" not in (home / "log.txt").read_text(encoding="utf-8")


def test_one_job_at_a_time(tab):
    """Of two tabs one waits; a job ends where it is cancelled, and where its tab is closed."""
    one, other = tab(), tab()
    one.fill("#new-count input", "16")
    one.click("#new-go")
    says(one, "new", "done, about")
    other.fill("#new-count input", "1")
    other.fill("#new-size input, #new-size textarea", "12x16")
    other.click("#new-go")
    says(other, "new", "waits for 1 other to end")
    one.click("#new-cancel")
    says(one, "new", "cancelled")
    says(other, "new", "1 image in")
    one.click("#new-go")
    says(one, "new", "done, about")
    other.click("#new-go")
    says(other, "new", "waits for 1 other to end")
    one.close()
    says(other, "new", "1 image in")


def test_uploads_that_are_refused(tab, photo, tmp_path):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "huge.png")
    (tmp_path / "broken.png").write_bytes(photo.read_bytes()[:2000])
    page = tab()
    for name, words in (("huge", "claims more pixels than is safe to decode"), ("broken", "cannot be read, it may be broken")):
        page.set_input_files("#source input[type=file]", tmp_path / f"{name}.png")
        says(page, "upload", f"{name}.png {words}")


def test_a_training_is_followed(tab):
    page = tab("Training")
    page.fill("#training-run input", "runs/small")
    page.keyboard.press("Enter")
    says(page, "training", "small: not trained by this studio; step 4")
    page.locator("#training-previews img").first.wait_for()
    page.locator("#training-curve img").first.wait_for()


def test_nothing_is_asked_of_another_machine(address, home):
    """By the server, so far."""
    asked = {*(home / "asked.txt").read_text(encoding="utf-8").split()} if (home / "asked.txt").exists() else set()
    assert asked <= {"127.0.0.1", "localhost", "None", "0.0.0.0", "::1"}
