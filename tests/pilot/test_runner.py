"""One operation at a time, stopped honestly, and no outcome lost."""

import threading
from collections.abc import Iterator

from textual.message import Message

from console.errors import ConsoleError, InDoubt, Stopped
from console.operation import Check, Checked, Event, Progress
from screens.messages import Advanced, Ended
from screens.runner import Ending, Job, Runner


class Host:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Message] = []

    def post_message(self, message: Message) -> bool:
        self.told.append(message)
        return True

    def crashed(self, error: Exception) -> str:
        return f"report of {type(error).__name__}"

    @property
    def endings(self) -> list[Ending]:
        return [m.ending for m in self.told if isinstance(m, Ended)]


def walk(job: Job) -> Host:
    host = Host()
    runner = Runner(host)
    assert runner.claim(job)
    runner.work()
    assert not runner.busy
    return host


def failing(error: Exception) -> Iterator[Event]:
    yield Progress("write", 1, 2)
    raise error


def test_only_one_job_at_a_time() -> None:
    """The place is taken until the job has ended."""
    runner = Runner(Host())
    job = Job("a", "read", lambda: iter(()))
    assert runner.claim(job)
    assert not runner.claim(Job("b", "read", lambda: iter(())))
    runner.work()
    assert runner.claim(job)


def test_ten_thousand_events_are_few_messages_and_one_ending() -> None:
    """Progress is told by the clock, not by the event."""
    check = Check("c", "pass")
    events: list[Event] = [Progress("write", n, 10_000) for n in range(10_000)]
    host = walk(Job("many", "read", lambda: iter([*events, Checked(check)])))
    assert len(host.endings) == 1
    assert host.endings[0].check == check
    assert sum(isinstance(m, Advanced) for m in host.told) < 500
    assert isinstance(host.told[-1], Ended)


def test_only_progress_may_be_replaced() -> None:
    """Textual may merge progress; an ending never is."""
    host = walk(Job("x", "read", lambda: iter([Progress("p")])))
    ending = host.told[-1]
    runner_view = host.endings[0].view
    progress = Advanced(runner_view)
    assert progress.can_replace(Advanced(runner_view))
    assert not ending.can_replace(progress)
    assert not progress.can_replace(ending)


def test_errors_have_their_own_states() -> None:
    """Failed, stopped and in doubt are three different things."""
    cases: list[tuple[Exception, str]] = [
        (ConsoleError("no"), "failed"),
        (Stopped(), "stopped"),
        (InDoubt(), "in_doubt"),
    ]
    for error, state in cases:
        host = walk(Job("x", "apply", lambda error=error: failing(error)))  # type: ignore[misc]
        assert host.endings[0].view.state == state
        assert host.endings[0].error is error


def test_a_mistake_of_the_program_is_an_ending_too() -> None:
    """An unexpected error is reported, and the runner is free again."""
    host = walk(Job("x", "read", lambda: failing(ZeroDivisionError())))
    error = host.endings[0].error
    assert error is not None
    assert error.message == "report of ZeroDivisionError"


def test_stop_reaches_the_token_without_blocking() -> None:
    """A stop that waits for the network does not hold up who asks for it."""
    started, released = threading.Event(), threading.Event()
    job = Job("x", "apply", lambda: iter(()))
    job.stop.on_stop(lambda: (started.set(), released.wait(10)))
    runner = Runner(Host())
    runner.claim(job)
    runner.stop()
    assert started.wait(10)
    assert job.stop.requested
    released.set()
    runner.work()
