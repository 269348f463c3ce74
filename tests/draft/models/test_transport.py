"""Language models over a loopback server: good answers, hostile answers, and every way to fail."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ppoc.draft.agent.asked import AGENT

pytest.importorskip("symai", reason="needs ppoc[draft]")

from ppoc.compiler.resolve import resolve_text
from ppoc.draft.agent.reader import read
from ppoc.draft.compose import compose
from ppoc.draft.engines import understand
from ppoc.draft.models.settings import EngineError, settings
from ppoc.draft.text.claims import LOST

REQUEST = "Train PPO on Hopper with clip 0.1; the policy ought to be a wee bit sloppy, say 0.003"


class Server:
    """Answers each request with the next of some replies, and keeps what it was sent."""

    def __init__(self, *replies):
        self.replies, self.sent = list(replies), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.sent.append(
                    ({k.lower(): v for k, v in self.headers.items()}, json.loads(body))
                )
                first = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                status, payload, *rest = first
                time.sleep(rest[0] if rest else 0)
                data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
                try:
                    self.send_response(status)
                    self.send_header("retry-after", "0")
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # the client has left

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


def says(content, **more):
    text = content if isinstance(content, str) else json.dumps(content)
    message = {"role": "assistant", "content": text, **more}
    return 200, {"choices": [{"message": message, "finish_reason": "stop"}]}


@pytest.fixture
def drafted(monkeypatch):
    """A run of `ppoc draft` on REQUEST with a server that gives some replies."""
    monkeypatch.setenv("PPOC_DRAFT_API_KEY", "sk-secret")
    monkeypatch.setenv("PPOC_DRAFT_TIMEOUT", "5")
    servers = []

    def run(*replies, request=REQUEST, url=None):
        server = Server(*replies)
        servers.append(server)
        chosen = settings("openai", url or server.url, "m")
        return server, compose(understand(request, chosen))

    yield run
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


def notes_of(draft):
    return " | ".join(note.text for note in draft.notes)


GOOD = {
    "losses__policy__epsilon": 0.1,
    "losses__entropy__beta": 0.003,
    "evidence": {"losses__entropy__beta": "a wee bit sloppy, say 0.003"},
}


def test_a_model_adds_what_the_reader_cannot_place(drafted):
    server, draft = drafted(says(GOOD))
    assert read(REQUEST).claim("losses.entropy.beta") is None
    assert LOST in " ".join(note.text for note in read(REQUEST).notes)
    assert LOST not in notes_of(draft)
    assert draft.resolved.spec.losses.entropy.beta == 0.003
    assert '"a wee bit sloppy, say 0.003": as the model reads it' in draft.text
    headers, body = server.sent[0]
    assert headers["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in json.dumps(body) + draft.text + notes_of(draft)
    enum = body["response_format"]["json_schema"]["schema"]["properties"]["losses__entropy__beta"]
    assert enum == {"enum": [0.1, 0.003, None]}


def test_an_invented_value_is_left_out(drafted):
    invented = {**GOOD, "advantage__gamma": 0.97, "training__device": "cuda"}
    _, draft = drafted(says(invented))
    assert draft.resolved.spec.advantage.gamma == 0.99
    assert draft.resolved.spec.training.device == "auto"
    assert "the request does not say so" in notes_of(draft)


def test_the_compilers_objection_is_the_remedy_prompt(drafted):
    wrong = {**GOOD, "update__minibatch_size": 0.1}
    server, draft = drafted(says(wrong), says(GOOD))
    assert draft.resolved.spec.losses.entropy.beta == 0.003
    assert len(server.sent) == 2


def test_the_reader_wins_where_a_model_differs(drafted):
    _, draft = drafted(says({**GOOD, "losses__policy__epsilon": 0.003}))
    assert draft.resolved.spec.losses.policy.epsilon == 0.1
    assert "taking the reader's" in notes_of(draft)


def test_a_fence_and_prose_around_an_answer_are_no_matter(drafted):
    _, draft = drafted(says(f"Sure!\n```json\n{json.dumps(GOOD)}\n```\nAnything else?"))
    assert draft.resolved.spec.losses.entropy.beta == 0.003


HOSTILE = {
    **GOOD,
    "extends": "/etc/passwd",
    "trust": True,
    "env": {"id": "os:system"},
    "env__id": "evil:Evil-v0",
    "losses__policy__objective": "__import__('os').system('id')",
    "name": "{{ cycler.__init__.__globals__ }}",
    "evidence": {"env__id": "Hopper", "losses__entropy__beta": "# ppoc: allow W203\nlock: {}"},
}


def test_a_hostile_answer_changes_nothing_but_checked_values(drafted):
    _, draft = drafted(says(HOSTILE))
    spec = draft.resolved.spec
    assert spec.env.id == "Hopper-v5"
    assert spec.losses.policy.objective == "clip"
    assert spec.losses.entropy.beta == 0.003
    said = "\n".join(line.partition("#")[0] for line in draft.text.splitlines())
    assert not any(word in said for word in ("extends", "trust", "evil", "import", "lock"))
    assert resolve_text(draft.text, "spec.yaml").spec == spec


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ([(401, {"error": "sk-secret"})], "does not accept the key"),
        ([(403, b"")], "refuses access"),
        ([(404, b"")], "no such model"),
        ([(429, b"")], "limits the rate"),
        ([(503, b"")], "has a fault"),
        ([(200, b"<html>")], "no chat completion"),
        ([(200, b"[" * 100_000)], "no chat completion"),
        ([(200, b'{"choices": []}')], "no chat completion"),
        ([(200, b"x" * 1_500_000)], "more than a megabyte"),
        ([says("", refusal="I cannot help with that")], "refused"),
        ([says("")], "empty"),
        ([says("I think PPO is a fine choice.")], "form that was asked for"),
        ([says({"evidence": 3})], "form that was asked for"),
    ],
)
def test_a_failing_model_leaves_the_offline_draft(drafted, replies, words):
    _, draft = drafted(*replies)
    assert draft.resolved.spec.losses.policy.epsilon == 0.1
    assert words in notes_of(draft)
    assert "read offline" in notes_of(draft)
    assert "sk-secret" not in notes_of(draft) + draft.text


def test_a_rate_limit_is_waited_for(drafted):
    server, draft = drafted((429, b""), (500, b""), says(GOOD))
    assert draft.resolved.spec.losses.entropy.beta == 0.003
    assert len(server.sent) == 3


def test_a_server_without_schemas_is_asked_for_json(drafted):
    server, draft = drafted((400, b""), says(GOOD))
    assert draft.resolved.spec.losses.entropy.beta == 0.003
    assert server.sent[1][1]["response_format"] == {"type": "json_object"}


def test_a_slow_server_and_a_dead_one(drafted, monkeypatch):
    monkeypatch.setenv("PPOC_DRAFT_TIMEOUT", "0.3")
    _, draft = drafted((*says(GOOD), 2))
    assert "did not answer within 0.3 seconds" in notes_of(draft)
    _, draft = drafted(says(GOOD), url="http://127.0.0.1:9/v1")
    assert "cannot be reached" in notes_of(draft)


def test_the_offline_reader_is_an_engine_too():
    chosen = settings("symai:offline")
    text = "PPO on HalfCheetah, a million steps, clip 0.2, relu, 8 envs, two layers of 64"
    with_contract, alone = (compose(understand(text, s)) for s in (chosen, settings("offline")))
    assert with_contract.text == alone.text
    from ppoc.draft.models.symbolic import ask

    claims, notes = ask(text, chosen, AGENT)
    assert {c.path: c.value for c in claims} == {c.path: c.value for c in read(text).claims}
    assert notes == []


def test_a_configuration_in_the_current_folder_is_not_read(tmp_path, monkeypatch):
    import subprocess
    import sys

    (tmp_path / "symai.config.json").write_text("{}")
    code = (
        "from ppoc.draft.engines import understand; "
        "from ppoc.draft.models.settings import settings; "
        "r = understand('PPO on Hopper', "
        "settings('symai:offline')); assert not r.notes, r.notes"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.parametrize(
    ("model", "key", "words"),
    [
        ("openai:o33", "sk-secret", "did you mean `openai:o3`"),
        ("openai:o3", "", "there is no key"),
    ],
)
def test_a_provider_that_cannot_be_used(monkeypatch, model, key, words):
    monkeypatch.setenv("PPOC_DRAFT_API_KEY", key)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    draft = compose(understand(REQUEST, settings(f"symai:{model}")))
    assert words in notes_of(draft)
    assert draft.resolved.spec.losses.policy.epsilon == 0.1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://x", "http or https"),
        ("http://user:pw@x/v1", "without a password"),
        ("http://example.org/v1", "https only"),
        ("nonsense", "http or https"),
    ],
)
def test_addresses_that_are_refused(monkeypatch, url, words):
    monkeypatch.setenv("PPOC_DRAFT_API_KEY", "sk-secret")
    with pytest.raises(EngineError, match=words):
        settings("openai", url, "m")


def test_openais_key_is_for_openai(monkeypatch):
    monkeypatch.delenv("PPOC_DRAFT_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert settings("openai", None, "m").key == settings("symai:openai:o3").key == "sk-secret"
    assert settings("openai", "https://elsewhere.example/v1", "m").key == ""
    assert settings("symai:anthropic:claude").key == ""


def test_a_key_is_not_shown(monkeypatch):
    monkeypatch.setenv("PPOC_DRAFT_API_KEY", "sk-secret")
    assert "sk-secret" not in repr(settings("openai", "https://x/v1", "m"))
