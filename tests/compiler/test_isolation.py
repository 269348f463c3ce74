"""A process that crashes says which line of code was under way."""

import os
import signal

from ppoc.compiler.agent.env.isolation import isolated


def crashes(desk):
    os.kill(os.getpid(), signal.SIGSEGV)


def test_a_crash_is_told_with_its_line():
    outcome = isolated(crashes)
    assert "SIGSEGV" in outcome.ended
    assert outcome.printed.startswith('File "')
    assert outcome.printed.endswith("in crashes")
