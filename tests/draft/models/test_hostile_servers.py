"""Servers that keep a connection busy: a draft waits for none of them beyond its time limit."""

import contextlib
import gzip
import itertools
import json
import socket
import threading
import time

import pytest

pytest.importorskip("symai", reason="needs ppoc[draft]")

from ppoc.draft.models.settings import EngineFailedError, Settings
from ppoc.draft.models.transport import MAX_ANSWER, CompatibleEngine

LIMIT = 0.5  # seconds
SLACK = 3.0  # of a busy machine
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ANSWER = json.dumps({"choices": [{"message": {"content": "{}"}}]}).encode()


@pytest.fixture
def asked():
    """Ask an engine of a server that writes some pieces, a pause apart, to each connection."""
    servers = []

    def ask(pieces, *, pause=0.05, reads=True, seconds=LIMIT, size=10, attempts=3):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=serve, args=(server, pieces, pause, reads), daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        chosen = Settings("openai", "m", address, "", seconds, attempts)
        engine = CompatibleEngine(chosen, {})
        return engine.answer([{"role": "user", "content": "x" * size}])

    yield ask
    for server in servers:
        server.close()


def serve(server, pieces, pause, reads):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            arguments = (connection, pieces, pause, reads)
            threading.Thread(target=talk, args=arguments, daemon=True).start()


def talk(connection, pieces, pause, reads):
    with contextlib.suppress(OSError), connection:
        while reads and b"\r\n\r\n" not in connection.recv(65536):
            pass
        for piece in pieces() if callable(pieces) else pieces:
            connection.sendall(piece)
            time.sleep(pause)
        connection.shutdown(socket.SHUT_WR)  # not a reset, which could overtake the answer
        while reads and connection.recv(65536):
            pass


def dripped(data):
    return lambda: (data[i : i + 1] for i in range(len(data)))


def again(piece, first=b""):
    return lambda: itertools.chain([first], itertools.repeat(piece))


EMPTY = gzip.compress(b"")  # 20 bytes, of which as many as one likes are nothing
SLOW = {
    "nothing": again(b""),
    "dripped headers": dripped(OK + b"X-Long: " + b"a" * 1000),
    "endless 103": again(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "endless 100": again(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripped body": dripped(OK + b"\r\n" + b" " * 1000),
    "gzip of nothing": again(EMPTY, OK + b"Content-Encoding: gzip\r\n\r\n"),
    "endless extensions": again(b"; a=b", CHUNKED + b"1"),
    "empty chunks with extensions": again(b"1;" + b"a" * 100 + b"\r\n \r\n", CHUNKED),
    "trailers": again(b"A: b\r\n", CHUNKED + b"0\r\n"),
    "a body that does not end": again(b" ", OK + b"\r\n"),
    "a body that is shorter than it says": [OK + b"Content-Length: 99\r\n\r\n", *[b""] * 99],
}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW)
def test_a_slow_server_is_left_at_the_limit(asked, pieces):
    start = time.monotonic()
    with pytest.raises(EngineFailedError, match=r"did not answer within 0\.5 seconds"):
        asked(pieces)
    assert LIMIT <= time.monotonic() - start < LIMIT + SLACK


def test_a_server_that_reads_no_request_is_left(asked):
    start = time.monotonic()
    with pytest.raises(EngineFailedError, match="did not answer within"):
        asked(again(b""), reads=False, size=30_000_000)
    assert time.monotonic() - start < LIMIT + SLACK


FAST = {
    "a flood of headers": (again(b"A: b\r\n" * 1000, OK), "cannot be reached"),
    "an endless header": (again(b"a" * 9999, OK + b"A: "), "cannot be reached"),
    "an endless body": (again(b" " * 65536, OK + b"\r\n"), "more than a megabyte"),
    "an endless chunk size": (again(b"0" * 9999, CHUNKED), "cannot be reached"),
    "a bomb": (
        [OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 9 * MAX_ANSWER)],
        "more than a megabyte",
    ),
    "no gzip": ([OK + b"Content-Encoding: gzip\r\n\r\nx"], "compresses its answers"),
    "twice": ([OK + b"Content-Encoding: gzip, gzip\r\n\r\nx"], "compresses its answers"),
    "a redirect": (
        [b"HTTP/1.1 307 Over There\r\nLocation: /v1/chat/completions\r\n\r\n"],
        "307: it redirects elsewhere",
    ),
    "another protocol": ([b"SSH-2.0-OpenSSH_9.2\r\n"], "cannot be reached"),
}


@pytest.mark.parametrize(("pieces", "words"), FAST.values(), ids=FAST)
def test_an_answer_without_measure_is_refused_at_once(asked, pieces, words):
    start = time.monotonic()
    with pytest.raises(EngineFailedError, match=words):
        asked(pieces, pause=0, seconds=30)
    assert time.monotonic() - start < 10


def test_the_limit_is_of_all_attempts_and_waits(asked):
    """A wait that would end after it is not begun: what the server said is told at once."""
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n"
    start = time.monotonic()
    with pytest.raises(EngineFailedError, match="503"):
        asked([busy % b"0.2"], attempts=1000)
    assert time.monotonic() - start < LIMIT + SLACK
    start = time.monotonic()
    with pytest.raises(EngineFailedError, match="503"):
        asked([busy % b"15"], seconds=5)
    assert time.monotonic() - start < 2


def test_a_name_that_is_looked_up_for_long_is_left(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: time.sleep(5))
    engine = CompatibleEngine(Settings("openai", "m", "http://a.test/v1", "", LIMIT), {})
    start = time.monotonic()
    with pytest.raises(EngineFailedError, match=r"a\.test did not answer"):
        engine.answer([])
    assert time.monotonic() - start < LIMIT + SLACK


def test_compressed_answers_are_read_all_the_same(asked):
    body = gzip.compress(ANSWER)
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert asked([head + body], seconds=10) == "{}"


def test_nothing_waits_on_after_the_limit(asked):
    before = threading.active_count()
    with pytest.raises(EngineFailedError):
        asked(SLOW["endless 103"])
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and threading.active_count() > before + 1:
        time.sleep(0.02)  # the server's thread that accepts stays
    assert threading.active_count() <= before + 1
