"""Jobs: one at a time and in order, cancelled in the middle of a walk or before it, failing in one line."""

from __future__ import annotations

import threading
import time

from recipes.command.studio.jobs import Job, Jobs
from restore.data.images import load_image
from restore.machine.provenance import provenance
from restore.pipelines.closed_form import closed_form


def ended(*jobs: Job) -> list[str]:
    while not all(job.ended for job in jobs):
        time.sleep(0.01)
    return [job.state for job in jobs]


def test_a_walk_tells_how_far_it_is_and_ends_where_it_is_cancelled(photo):
    pipeline, shares = closed_form(load_image(photo, 24)).using(steps=2), []
    whole = Job(lambda: pipeline.generate((16, 20), 2, batch=1, progress=False), "tab a")
    step = whole._step
    whole._step = lambda share: (step(share), shares.append(whole.share))  # type: ignore[method-assign]
    whole.run()
    assert whole.state == "done" and whole.share == 1
    assert shares == sorted(shares) and 0 < shares[0] < 0.2 and shares[len(shares) // 2 - 1] == 0.5 and shares[-1] == 1
    job = Job(lambda: pipeline.generate((16, 20), progress=False), "tab a")
    job._asked_to_stop.set()
    job.run()
    assert job.state == "cancelled" and job.share == 0


def test_one_at_a_time_and_in_order():
    jobs, gate, order = Jobs(), threading.Event(), []
    first = jobs.submit(Job(gate.wait, "tab one"))
    dropped = jobs.submit(Job(lambda: order.append("dropped"), "tab two"))
    last = jobs.submit(Job(lambda: order.append("last"), "tab three"))
    while first.state == "waits":
        time.sleep(0.01)
    assert [jobs.before(job) for job in (first, dropped, last)] == [0, 1, 2]
    jobs.cancel("tab two")
    assert jobs.before(last) == 1 and last.state == "waits"
    gate.set()
    assert ended(first, dropped, last) == ["done", "cancelled", "done"] and order == ["last"]


def test_what_was_said_and_what_went_wrong(capsys):
    def fails() -> None:
        raise ValueError("a line that says what to do.")

    def breaks() -> None:
        raise KeyError("a fault")

    jobs, made = Jobs(), {}
    said = jobs.submit(Job(lambda: print("4 images") or made.update(provenance()), "a", "thaw edit inpaint x.png"))
    failed, broken = jobs.submit(Job(fails, "a")), jobs.submit(Job(breaks, "a"))
    assert ended(said, failed, broken) == ["done", "failed", "failed"]
    assert said.said == "4 images" and made["command"] == "thaw edit inpaint x.png" != provenance()["command"]
    assert failed.said == "a line that says what to do."
    assert "KeyError" in broken.said and "KeyError: 'a fault'" in capsys.readouterr().err
