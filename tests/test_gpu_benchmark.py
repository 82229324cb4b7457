"""benchmarks/gpu.py, rehearsed: every row runs, is kept, and one that fails does not stop the others."""

from __future__ import annotations

import json

import pytest

from tests.commands import ROOT


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    return gpu


def test_rehearsal(gpu, tmp_path, capsys, monkeypatch, photo):
    for module in ("gpu_checks", "gpu_figures"):  # three times pytest
        monkeypatch.setattr(f"{module}.tested", lambda scene, paths, workers: {"passed": len(paths), "ok": True})
    gpu.Bench(rehearse=True, device="cpu", out=tmp_path, photographs=(photo,))()
    results = json.loads((tmp_path / "rehearsal/results.json").read_text())
    assert not (tmp_path / "results.json").exists()  # which figures are kept in
    assert list(results) == list(gpu.EVERY) and all(found["ok"] for found in results.values()), results
    assert results["resume"]["bitwise"] and results["laws"]["passed"] == 1
    assert f"{len(results)} rows\n" in capsys.readouterr().out


def test_rows_that_fail_and_rows_that_wait(gpu, tmp_path, capsys, monkeypatch):
    """A failed row is told with its error; what is done is not done again, what the time does not suffice for is named."""

    def fails(scene):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(gpu, "EVERY", {"parity": fails, "ddp": lambda scene: {"figure": 1.5}, "suite": fails})
    monkeypatch.setattr(gpu, "alone", lambda name, work, *args, limit: work(*args))
    monkeypatch.setattr(gpu, "describe", lambda device: "a GPU")
    monkeypatch.setattr(gpu, "usable_device", lambda device: device)
    bench = gpu.Bench(device="cuda", out=tmp_path, minutes=1)
    with pytest.raises(SystemExit):
        bench()
    first = capsys.readouterr().out
    assert "error RuntimeError: no such kernel: NOT AS WANTED" in first and "figure 1.5" in first
    assert "2 rows; not as wanted: parity\nleft for the next call of the same command: suite\n" in first
    monkeypatch.setattr(gpu, "EVERY", {"parity": fails, "ddp": fails, "suite": lambda scene: {"passed": 3}})
    with pytest.raises(SystemExit):
        gpu.Bench(device="cuda", out=tmp_path)()
    assert "figure 1.5" in (second := capsys.readouterr().out) and "passed 3" in second and "left for" not in second
    with pytest.raises(SystemExit):
        gpu.Bench(device="cuda", out=tmp_path, only=("ddp",), again=True)()
    assert "what was measured before stays:\n| ddp | 0 | figure 1.5" in capsys.readouterr().out


def test_what_pytest_says(gpu, tmp_path):
    from gpu_checks import Scene, tested

    test = "tests/degrade/test_counters.py::test_known_answers"
    assert tested(Scene("cpu", out=tmp_path), [test], 0) == {"passed": 1, "ok": True}
    assert "1 passed" in (tmp_path / "test_counters.log").read_text()
    late = tested(Scene("cpu", out=tmp_path, until=1.0), [test], 0)
    assert late["error"].startswith("not done after 1 s: ") and not late["ok"]


def test_without_a_gpu(gpu, tmp_path):
    with pytest.raises(SystemExit, match=r"there is no GPU here: `--rehearse`"):
        gpu.Bench(device="cpu", out=tmp_path)()
    with pytest.raises(SystemExit, match=r"there is no row 'speed': these are parity, laws, "):
        gpu.Bench(device="cpu", out=tmp_path, only=("speed",))()


def test_bad_input_before_anything_runs(gpu, tmp_path, photo):
    def refused(match: str, **options) -> None:
        with pytest.raises(SystemExit, match=f"^error: {match}"):
            gpu.Bench(**{"rehearse": True, "device": "cpu", "out": tmp_path / "out"} | options)()

    refused("'banana' is no device", device="banana")
    refused("minutes is more than 0", minutes=0)
    refused(".* is a file: --out names a folder", out=photo)
    refused(".* is no checkout of", published=tmp_path)
    refused("two photographs have one name", photographs=(photo, tmp_path / "other/photo.jpg"))
    refused(".*nowhere.png", photographs=(tmp_path / "nowhere.png",))
    refused(".*photo.png", photographs=(photo,), peers=tmp_path / "peers")
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no rows of this benchmark: move it away"):
        gpu.kept(tmp_path / "results.json")
