"""SymbolicAI engines of ppoc's own: any OpenAI-compatible server, and the offline reader.

Importing this module imports SymbolicAI.
"""

import contextlib
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
from symai.backend.base import Engine
from symai.backend.engines.neurosymbolic._prompts import render_chat_system_prompt

from ppoc.draft.models.deadline import Deadline
from ppoc.draft.models.settings import EngineFailedError, Settings

MAX_ANSWER = 1_000_000  # bytes
LONGEST_WAIT = 20.0  # seconds that a server may ask for between attempts
AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
REASONS = {
    400: "it does not understand the request",
    401: "it does not accept the key (PPOC_DRAFT_API_KEY)",
    403: "it refuses access",
    404: "it has no such model or address",
    429: "it limits the rate of requests",
}


class ChatEngine(Engine):  # type: ignore[misc]
    """An engine that answers chat messages with text."""

    def __init__(self) -> None:
        super().__init__()
        self.model = "ppoc"
        self.failure: str | None = None

    def id(self) -> str:
        return "neurosymbolic"

    def prepare(self, argument: Any) -> None:
        argument.prop.prepared_input = [
            {"role": "system", "content": render_chat_system_prompt(argument)},
            {"role": "user", "content": str(argument.prop.processed_input)},
        ]

    def forward(self, argument: Any) -> tuple[list[str], dict[str, Any]]:
        try:
            text = self.answer(argument.prop.prepared_input)
        except EngineFailedError as error:
            self.failure = str(error)
            raise
        return [unfenced(text)], {}

    def answer(self, messages: list[dict[str, str]]) -> str:
        """The model's text.

        Raises:
            EngineFailedError: there is none.
        """
        raise NotImplementedError


class OfflineEngine(ChatEngine):
    """The offline reader as a model: the same contract, and no network."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def answer(self, messages: list[dict[str, str]]) -> str:
        return self.text


class CompatibleEngine(ChatEngine):
    """A server that speaks OpenAI's chat completions: llama.cpp, Ollama, vLLM, hosted ones."""

    def __init__(self, settings: Settings, schema: dict[str, Any]) -> None:
        super().__init__()
        self.settings = settings
        self.model = settings.model
        self.deadline = Deadline(settings.timeout)  # of all requests together
        self.host = urlsplit(settings.base_url).netloc
        named = {"name": "answer", "schema": schema}
        self.formats = [{"type": "json_schema", "json_schema": named}, {"type": "json_object"}]

    def answer(self, messages: list[dict[str, str]]) -> str:
        try:
            return self.deadline.run(lambda: self._answer(messages))
        except TimeoutError:
            raise self._late() from None

    def _answer(self, messages: list[dict[str, str]]) -> str:
        body = {"model": self.model, "messages": messages, "temperature": 0}
        for attempt in range(self.settings.attempts):
            status, data, wait = self._post({**body, "response_format": self.formats[0]})
            if status == 400 and len(self.formats) > 1:
                self.formats = self.formats[1:]  # a server without schemas
                status, data, wait = self._post({**body, "response_format": self.formats[0]})
            if status == 200:
                return self._content(data)
            wait = min(LONGEST_WAIT, wait if wait is not None else 0.5 * 2**attempt)
            last = attempt + 1 == self.settings.attempts or wait >= self.deadline.left()
            if status not in AGAIN or last:
                break
            time.sleep(wait)
        usual = "it has a fault" if status >= 500 else "it does not answer"
        usual = "it redirects elsewhere, which is not followed" if 300 <= status < 400 else usual
        raise EngineFailedError(f"{self.host} answers {status}: {REASONS.get(status, usual)}")

    def _post(self, body: dict[str, Any]) -> tuple[int, bytes, float | None]:
        """Status, body and the wait that the server asks for.

        Raises:
            EngineFailedError: there is no answer, or one without end.
        """
        key = self.settings.key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # A compressed answer may be large, or nothing, for long.
        headers["Accept-Encoding"] = "identity"
        url = f"{self.settings.base_url}/chat/completions"
        try:
            with (
                closed_after(self.deadline) as trace,
                httpx.Client(timeout=max(0.001, self.deadline.left())) as client,
                client.stream(
                    "POST", url, json=body, headers=headers, extensions={"trace": trace}
                ) as response,
            ):
                data = bytearray()
                for chunk in response.iter_raw():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise self._endless()
                if not self.deadline.left():  # the connection was closed here, not there
                    raise self._late()
                headers = dict(response.headers)
                plain = self._decoded(bytes(data), headers.get("content-encoding", ""))
                return response.status_code, plain, _seconds(headers.get("retry-after"))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
            if isinstance(error, httpx.TimeoutException) or not self.deadline.left():
                raise self._late() from None
            raise EngineFailedError(f"{self.host} cannot be reached") from None

    def _decoded(self, data: bytes, encoding: str) -> bytes:
        """A body as it was before it was compressed, which some servers do unasked."""
        if encoding.strip().lower() in ("", "identity"):
            return data
        try:
            if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
                raise zlib.error
            stream = zlib.decompressobj(wbits=47)
            plain = stream.decompress(data, MAX_ANSWER + 1)
            if not stream.eof and len(plain) <= MAX_ANSWER:
                raise zlib.error
        except zlib.error:
            what = f"{self.host} compresses its answers, which it was asked not to"
            raise EngineFailedError(what) from None
        if len(plain) > MAX_ANSWER:
            raise self._endless()
        return plain

    def _late(self) -> EngineFailedError:
        return EngineFailedError(
            f"{self.host} did not answer within {self.settings.timeout:g} seconds"
        )

    def _endless(self) -> EngineFailedError:
        return EngineFailedError(f"{self.host} answers with more than a megabyte")

    def _content(self, data: bytes) -> str:
        try:
            choice = json.loads(data)["choices"][0]
            message = choice["message"]
            refused = message.get("refusal") or choice.get("finish_reason") == "content_filter"
            text = message.get("content")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise EngineFailedError(f"the answer of {self.host} is no chat completion") from None
        if refused:
            raise EngineFailedError("the model refused to answer")
        if choice.get("finish_reason") == "length":
            raise EngineFailedError("the model's answer was cut off")
        if not isinstance(text, str) or not text.strip():
            raise EngineFailedError("the model's answer is empty")
        return text


@contextlib.contextmanager
def closed_after(deadline: Deadline) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Close the connections that are opened within, once a deadline is over.

    Timeouts of reading and writing are of each call, which a server can answer with a byte. Gives a
    function that httpx is to tell about its connections, its extension `trace`.
    """
    opened: list[Any] = []

    def trace(name: str, info: dict[str, Any]) -> None:
        if name.endswith((".connect_tcp.complete", ".start_tls.complete")):
            opened.append(info["return_value"].get_extra_info("socket"))
            if not deadline.left():
                close()

    def close() -> None:
        for connection in opened:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # wakes who waits for it

    timer = threading.Timer(deadline.left(), close)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    finally:
        timer.cancel()


def unfenced(text: str) -> str:
    """An answer without the fence or the prose around its JSON object."""
    fenced = re.search(r"```(?:json)?\s*(\{.*\})\s*```", text, re.DOTALL)
    if fenced:
        return fenced[1]
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None
