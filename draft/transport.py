"""SymbolicAI engines of ppoc's own: any OpenAI-compatible server, and the offline reader.

Importing this module imports SymbolicAI.
"""

import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
from symai.backend.base import Engine
from symai.backend.engines.neurosymbolic._prompts import render_chat_system_prompt

from ppoc.draft.engines import EngineFailedError, Settings

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
        self.host = urlsplit(settings.base_url).netloc
        named = {"name": "answer", "schema": schema}
        self.formats = [{"type": "json_schema", "json_schema": named}, {"type": "json_object"}]

    def answer(self, messages: list[dict[str, str]]) -> str:
        body = {"model": self.model, "messages": messages, "temperature": 0}
        for attempt in range(self.settings.attempts):
            status, data, wait = self._post({**body, "response_format": self.formats[0]})
            if status == 400 and len(self.formats) > 1:
                self.formats = self.formats[1:]  # a server without schemas
                status, data, wait = self._post({**body, "response_format": self.formats[0]})
            if status == 200:
                return self._content(data)
            if status not in AGAIN or attempt + 1 == self.settings.attempts:
                break
            time.sleep(min(LONGEST_WAIT, wait if wait is not None else 0.5 * 2**attempt))
        if status is None:
            raise EngineFailedError(data.decode())
        reason = REASONS.get(status, "it has a fault" if status >= 500 else "it does not answer")
        raise EngineFailedError(f"{self.host} answers {status}: {reason}")

    def _post(self, body: dict[str, Any]) -> tuple[int | None, bytes, float | None]:
        """Status, body and the wait that the server asks for; no status: the reason is the body."""
        key = self.settings.key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{self.settings.base_url}/chat/completions"
        deadline = time.monotonic() + self.settings.timeout
        try:
            with httpx.stream(
                "POST", url, json=body, headers=headers, timeout=self.settings.timeout
            ) as response:
                data = b""
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise EngineFailedError(f"{self.host} answers with more than a megabyte")
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("slow")
                return response.status_code, data, _seconds(response.headers.get("retry-after"))
        except httpx.TimeoutException:
            text = f"{self.host} did not answer within {self.settings.timeout:g} seconds"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError):
            text = f"{self.host} cannot be reached"
        return None, text.encode(), None

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
