"""What stands before the first picture, and who waits for whom afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from screens.courtesy import ANSWER_SECONDS, Courtesy
from tests.pilot.conftest import MakeApp
from tests.pilot.driving import settled

ROOT = Path(__file__).parents[2]
LATE = ("psycopg", "boto3", "ldclient")


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_the_first_picture_needs_neither_driver_nor_cloud() -> None:
    """What `run` loads before the home screen stands leaves the slow packages alone."""
    code = (
        "import sys, screens.__main__, screens.start, screens.app, screens.wiring\n"
        f"print([name for name in {LATE!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_job_waits_for_the_answer_to_a_key() -> None:
    """Once for each key, and not at all when none came."""
    time = Time()
    courtesy = Courtesy(time, time.sleep)
    courtesy.grant()
    assert time.slept == []
    courtesy.ask()
    courtesy.grant()
    courtesy.grant()
    assert len(time.slept) == 1
    assert time.now >= 100 + ANSWER_SECONDS


def test_a_key_held_down_does_not_stop_a_job() -> None:
    """Between two pauses there is as much time for the job."""
    time = Time()
    courtesy = Courtesy(time, time.sleep)
    steps = 300
    for _ in range(steps):
        courtesy.ask()
        courtesy.grant()
        time.now += ANSWER_SECONDS / 10
    worked = steps * ANSWER_SECONDS / 10
    assert 0 < sum(time.slept) <= worked * 1.1


async def test_every_key_asks_for_it(make_app: MakeApp) -> None:
    """A key on any screen reaches the job that runs."""
    app, time = make_app(), Time()
    async with app.run_test() as pilot:
        await settled(pilot)
        app.runner.courtesy = Courtesy(time, time.sleep)
        await pilot.press("down")
        app.runner.courtesy.grant()
        assert len(time.slept) == 1
