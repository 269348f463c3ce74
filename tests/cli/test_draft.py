"""`ppoc draft` and `ppoc describe` as a user types them."""

import json

REQUEST = "Train PPO on CartPole for 1000 steps, clip 0.1, rollouts of 256 steps"


def test_a_draft_is_written_and_checks(ppoc, tmp_path):
    done = ppoc("draft", REQUEST, "-o", "spec.yaml")
    assert (done.code, done.out) == (0, "spec.yaml\n")
    assert ppoc("check", "spec.yaml").code == 0
    assert '# "clip 0.1"' in (tmp_path / "spec.yaml").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]
    assert ppoc("draft", REQUEST, "-o", "spec.yaml").code == 2
    assert ppoc("draft", REQUEST, "-o", "spec.yaml", "--force").code == 0


def test_a_pipe_is_read_and_nobody_is_asked(ppoc):
    done = ppoc("draft", stdin="PPO, clip 0.1")
    assert done.code == 0
    assert "id: CartPole-v1" in done.out
    assert "which environment?" in done.err
    assert ppoc("draft", stdin="").code == 2
    assert ppoc("draft", "-", stdin="PPO on Hopper").out.count("Hopper-v5") == 1


def test_a_person_is_asked_for_the_environment_and_offered_a_run(ppoc, monkeypatch):
    asked, ran = [], []
    monkeypatch.setattr("ppoc.cli.specs.draft._interactive", lambda out: out is not None)
    monkeypatch.setattr("typer.prompt", lambda text, **_: asked.append(text) or "the pendulum")
    monkeypatch.setattr("typer.confirm", lambda text, **_: asked.append(text) or True)
    monkeypatch.setattr("ppoc.cli.training.run.run", ran.append)
    done = ppoc("draft", "PPO, clip 0.1", "-o", "spec.yaml")
    assert done.code == 0
    assert asked == ["Which environment?", "Run it now?"]
    assert [path.name for path in ran] == ["spec.yaml"]
    assert "Pendulum-v1" in ran[0].read_text()


def test_json_has_spec_provenance_and_notes(ppoc):
    data = json.loads(ppoc("draft", REQUEST + ", with a transformer", "--json").out)
    said = {value["path"]: value for value in data["values"]}
    assert said["losses.policy.epsilon"] == {
        "path": "losses.policy.epsilon",
        "value": 0.1,
        "origin": "request",
        "words": "clip 0.1",
        "why": "",
    }
    assert data["notes"][0]["kind"] == "cannot"
    assert data["spec"].startswith("# Drafted")


def test_evidence_is_shown(ppoc):
    done = ppoc("draft", REQUEST, "--explain")
    assert 'request   "clip 0.1"' in done.err
    assert "default   default: " in done.err


def test_nothing_to_draft_writes_nothing(ppoc, tmp_path):
    done = ppoc("draft", "What is the capital of Austria?", "-o", "spec.yaml")
    assert done.code == 1
    assert "nothing in the request says what to train" in done.err
    assert not list(tmp_path.iterdir())
    done = ppoc("draft", "What is the capital of Austria?", "--json")
    assert done.code == 1
    assert json.loads(done.out)["spec"] is None


def test_an_edit_shows_its_diff(ppoc, tmp_path):
    ppoc("draft", REQUEST, "-o", "spec.yaml")
    done = ppoc("draft", "--edit", "spec.yaml", "clip 0.3 and two seeds")
    assert done.code == 0
    assert "-    epsilon: 0.1" in done.out
    assert "+    epsilon: 0.3" in done.out
    assert "ppoc run spec.yaml --seed 2" in done.err
    assert "epsilon: 0.3" in (tmp_path / "spec.yaml").read_text()
    before = (tmp_path / "spec.yaml").read_text()
    assert ppoc("draft", "--edit", "spec.yaml", "clip 0.4", "-o", "other.yaml").code == 0
    assert (tmp_path / "spec.yaml").read_text() == before


def test_misuse_is_told(ppoc, tmp_path):
    assert ppoc("draft", REQUEST, "-o", "spec.txt").code == 2
    assert "cannot write" in ppoc("draft", REQUEST, "-o", "nowhere/spec.yaml").err
    assert ppoc("draft", "clip 0.1", "--edit", "missing.yaml").code == 1
    assert "no engine 'magic'" in ppoc("draft", REQUEST, "--engine", "magic").err
    assert "needs --model" in ppoc("draft", REQUEST, "--engine", "openai").err
    assert ppoc("draft", "PPO " * 2000).code == 2
    assert not list(tmp_path.iterdir())


def test_a_description_drafts_again(ppoc, tmp_path):
    ppoc("draft", REQUEST, "-o", "spec.yaml")
    text = ppoc("describe", "spec.yaml").out
    assert "a clip range of 0.1" in text
    assert ppoc("draft", text, "-o", "again.yaml").code == 0
    assert ppoc("diff", "spec.yaml", "again.yaml").out == "the specs mean the same\n"
