"""A server of the studio and a browser to use it, for the tests that need both; they are skipped where one is missing."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.commands import ENVIRONMENT, ROOT

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync"""
GUARD = """
import runpy, socket, sys
lookup = socket.getaddrinfo
def watched(host, *args, **kwargs):
    with open("asked.txt", "a") as file:
        file.write(f"{host}\\n")
    return lookup(host, *args, **kwargs)
socket.getaddrinfo = watched
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Notes the names that the server looks up."""


def browser_path() -> str:
    """Of a Chromium that is installed."""
    pytest.importorskip("gradio", reason="gradio is not installed (extra studio)")
    pytest.importorskip("playwright", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=FLAGS.split())
        yield chromium
        chromium.close()


@contextmanager
def served(home: Path, *args: str | Path) -> Iterator[str]:
    """The address of a studio that was started in the folder `home`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-c", GUARD, str(ROOT / "recipes" / "studio.py"), *map(str, args), "--port", str(port)]
    with open(home / "log.txt", "w", encoding="utf-8") as log:
        server = subprocess.Popen(line, cwd=home, env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            assert server.poll() is None, (home / "log.txt").read_text(encoding="utf-8")
            try:
                urlopen(address, timeout=60).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait()
