"""A deadline holds whatever the work does, and gives its result or its exception."""

import contextvars
import threading
import time

import pytest

from ppoc.draft.models.deadline import GRACE, Deadline

WORD = contextvars.ContextVar("WORD", default="")


def test_the_result_and_the_exception_are_the_works():
    WORD.set("here")
    assert Deadline(5).run(WORD.get) == "here"
    with pytest.raises(ZeroDivisionError):
        Deadline(5).run(lambda: 1 / 0)


def test_work_that_looks_at_no_clock_is_left():
    stuck, start = threading.Event(), time.monotonic()
    deadline = Deadline(0.1)
    with pytest.raises(TimeoutError):
        deadline.run(stuck.wait)
    assert 0.1 <= time.monotonic() - start < 0.1 + GRACE + 1
    assert deadline.left() == 0
    with pytest.raises(TimeoutError):
        deadline.run(lambda: pytest.fail("begun after the end"))
    stuck.set()
