"""`ppoc diagnose` on healthy, sick, old, running and damaged folders."""

import json
import random
import shutil

import pytest

SHORT = (
    "--quiet",
    "-s",
    "training.total_steps=5120",
    "-s",
    "update={rollout_steps: 256}",
    "-s",
    "evaluation.episodes=2",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def sick(ppoc, runs):
    """A run whose learning rate is 1."""
    folder = runs / "sick"
    if not folder.exists():
        assert ppoc("init", "agent.yaml").code == 0
        rate = ("-s", "optimizer.actor.lr=1.0", "-s", "training.on_divergence=continue")
        assert ppoc("run", "agent.yaml", *SHORT, *rate, "--out", folder).code == 0
    return folder


def test_the_cause_comes_first_with_its_evidence_and_what_to_try(ppoc, sick):
    done = ppoc("diagnose", sick)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == f"{sick}: finished after 5,120 of 5,120 steps"
    cause = next(line for line in lines if line.startswith("1. "))
    assert cause.startswith(("1. kl-explosion", "1. high-kl"))
    assert "   try: optimizer.actor.lr: 1 → 0.0003 (-s optimizer.actor.lr=0.0003)" in lines
    assert lines[-1].startswith("change one thing at a time")


def test_json_says_the_same(ppoc, sick):
    document = json.loads(ppoc("diagnose", sick, "--format", "json").out)
    assert (document["format"], document["steps"], document["total_steps"]) == (1, 5120, 5120)
    kept = [json.loads(line) for line in (sick / "health.jsonl").read_text().splitlines()]
    assert {x["symptom"] for x in document["findings"]} == {x["symptom"] for x in kept}


@pytest.fixture
def diverged(ppoc, runs):
    """A run that its learning rate of 1 has ended."""
    folder = runs / "diverged"
    if not folder.exists():
        assert ppoc("init", "agent.yaml").code == 0
        done = ppoc("run", "agent.yaml", *SHORT, "-s", "optimizer.actor.lr=1.0", "--out", folder)
        assert done.code == 3
        assert f"`ppoc diagnose {folder} --replay`" in done.err
    return folder


def test_a_run_that_diverged_is_said_to_have_stopped(ppoc, diverged):
    lines = ppoc("diagnose", diverged).out.splitlines()
    assert lines[0].startswith(f"{diverged}: stopped at ")
    assert lines[0].endswith(" of 5,120 steps, because it diverged")
    assert next(line for line in lines if line.startswith("1. ")).startswith("1. kl-explosion")


def test_the_update_that_diverged_is_made_again(ppoc, diverged):
    done = ppoc("diagnose", diverged, "--replay")
    assert done.code == 0
    assert "float32: diverges again" in done.out
    assert "float64: diverges again" in done.out
    assert "actor.0.weight before" in done.out
    document = json.loads(
        ppoc("diagnose", diverged, "--replay", "--format", "json").out,
        parse_constant=lambda name: pytest.fail(f"{name} is no JSON"),
    )
    assert [x["dtype"] for x in document["replays"]] == ["float32", "float64"]
    assert all(x["metrics"]["approx_kl"] > 20 for x in document["replays"])


def test_what_has_no_such_update_is_misuse(ppoc, sick):
    done = ppoc("diagnose", sick, "--replay")
    assert done.code == 2
    assert "no update that diverged" in done.err


def test_a_run_of_an_older_version_is_read_from_its_metrics(ppoc, sick, tmp_path):
    now = json.loads(ppoc("diagnose", sick, "--format", "json").out)
    old = shutil.copytree(sick, tmp_path / "old")
    (old / "health.jsonl").unlink()
    then = json.loads(ppoc("diagnose", old, "--format", "json").out)
    assert then["findings"] == now["findings"]


def test_what_is_no_run_folder_is_misuse(ppoc, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        done = ppoc("diagnose", folder)
        assert done.code == 2
        assert "no run folder" in done.err


def test_a_running_run_is_said_to_be_running(ppoc, sick, tmp_path):
    from ppoc.runtime.run.run import Run

    copy = shutil.copytree(sick, tmp_path / "copy")
    with Run(copy, resume=True):
        assert "running, at 5,120" in ppoc("diagnose", copy).out
    assert "finished" in ppoc("diagnose", copy).out


FILES = (
    *("module.py", "manifest.json", "metrics.csv", "evaluations.jsonl"),
    *("health.jsonl", "result.json", "run.lock"),
)


def test_damaged_folders_end_in_an_answer_or_one_message(ppoc, sick, tmp_path):
    """100 folders with bytes changed, cut, repeated or replaced in any of their files."""
    rng = random.Random(0)
    (sick / "evaluations.jsonl").write_text('{"steps": 1, "mean": 2.0, "std": 0.5}\n' * 3)
    codes = set()
    for number in range(100):
        folder = shutil.copytree(
            sick, tmp_path / str(number), ignore=shutil.ignore_patterns("tensorboard")
        )
        for name in rng.sample(FILES, rng.randint(1, 3)):
            path = folder / name
            data = bytearray(path.read_bytes())
            kind = rng.choice(("cut", "bytes", "random", "deep", "gone", "folder", "twice"))
            if kind == "cut":
                data = data[: rng.randrange(len(data) + 1)]
            elif kind == "bytes":
                for _ in range(rng.randint(1, 30)):
                    if data:
                        data[rng.randrange(len(data))] = rng.randrange(256)
            elif kind == "random":
                data = bytearray(rng.randbytes(500))
            elif kind == "deep":
                data = bytearray(b"[" * 100_000)
            elif kind == "twice":
                data = data[: len(data) // 2] + data
            path.unlink()
            if kind == "folder":
                path.mkdir()
            elif kind != "gone":
                path.write_bytes(data)
        for form in ("text", "json"):
            done = ppoc("diagnose", folder, "--format", form)
            codes.add(done.code)
            assert done.out or done.err.startswith("error: "), number
        shutil.rmtree(folder)
    assert codes <= {0, 2}


@pytest.fixture
def language_model(tmp_path):
    """The folder of a language model's run, as far as a diagnosis reads it."""
    folder = tmp_path / "shop"
    for stage in ("sft", "ppo"):
        (folder / stage).mkdir(parents=True)
    settings = {
        "ppo.rollout_size": 128,
        "ppo.epochs": 4,
        "ppo.losses.policy.epsilon": 0.2,
        "ppo.losses.value.coefficient": 0.01,
        "ppo.optimizer.lr": 1e-2,
        "ppo.value_optimizer.lr": 1e-5,
    }
    manifest = {"kind": "rlhf", "settings": settings, "total_steps": {"ppo": 5120}}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, **manifest}))
    (folder / "sft" / "evaluations.jsonl").write_text('{"steps": 2, "loss": 1.6}\n')
    (folder / "sft" / "metrics.csv").write_text("step,loss,grad_norm\n1,2.0,0.5\n2,1.5,0.4\n")
    rows = [f"{128 * i},0.9,2.0,-0.5\n" for i in range(1, 36)]
    text = "step,approx_kl,value_loss,explained_variance\n" + "".join(rows)
    (folder / "ppo" / "metrics.csv").write_text(text)
    return folder


def test_the_stages_of_a_language_model_are_read_with_its_own_keys(ppoc, language_model):
    done = ppoc("diagnose", language_model)
    assert done.code == 0
    sft, _, ppo = done.out.partition("\n\n")
    assert sft == (
        f"{language_model / 'sft'}: ended without a result, after 2 updates\n"
        "nothing unhealthy was seen"
    )
    assert f"{language_model / 'ppo'}: ended without a result, after 4,480 of 5,120 answers" in ppo
    assert "1. high-kl" in ppo
    assert "try: ppo.optimizer.lr: 0.01 → 1e-05 (-s ppo.optimizer.lr=1e-05)" in ppo
    assert "try: ppo.target_kl: null → 0.1" in ppo
    assert "2. useless-critic" in ppo
    assert "try: ppo.losses.value.coefficient: 0.01 → 0.1" in ppo
    assert "try: ppo.value_optimizer.lr: 1e-05 → 0.0001" in ppo
    assert "env." not in ppo


def test_stages_as_json(ppoc, language_model):
    document = json.loads(ppoc("diagnose", language_model, "--format", "json").out)
    assert list(document["stages"]) == ["sft", "ppo"]
    found = document["stages"]["ppo"]["findings"]
    assert [x["symptom"] for x in found] == ["high-kl", "useless-critic"]


HOSTILE = (
    {},
    {"kind": 7, "settings": [1], "total_steps": "x", "action_components": -1},
    {"settings": {"losses.policy.epsilon": "\x1b[2J", "optimizer.actor.lr": float("nan")}},
    {"settings": {"update.epochs": 10**400, "optimizer.actor.lr": {"a": []}, "x" * 10_000: 1}},
    {
        "settings": {
            "advantage.gamma": -1e300,
            "update.epochs": [1],
            "optimizer.max_grad_norm": None,
        }
    },
    {"settings": {f"a{i}": i for i in range(10_000)}, "action_components": 10**30},
    {"settings": {"optimizer.actor.lr": True}, "total_steps": {"train": 1.5, "ppo": -3}},
)


@pytest.mark.parametrize("manifest", HOSTILE)
def test_a_hostile_manifest_is_harmless(ppoc, sick, tmp_path, manifest):
    """Findings are those of the metrics, and nothing of the manifest reaches the terminal."""
    folder = shutil.copytree(sick, tmp_path / "copy", ignore=shutil.ignore_patterns("tensorboard"))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = ppoc("diagnose", folder)
    assert done.code == 0
    assert "1. kl-explosion" in done.out or "1. high-kl" in done.out
    assert "\x1b" not in done.out + done.err
    assert "finished after 5,120" in done.out.splitlines()[0]


def test_a_manifest_of_an_earlier_version_leaves_findings_without_changes(ppoc, sick, tmp_path):
    folder = shutil.copytree(sick, tmp_path / "copy", ignore=shutil.ignore_patterns("tensorboard"))
    manifest = json.loads((folder / "manifest.json").read_text())
    for key in ("kind", "features", "settings", "total_steps", "action_components"):
        del manifest[key]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = ppoc("diagnose", folder)
    assert done.code == 0
    assert "manifest.json does not say how the run is set, so no change is proposed" in done.out
    assert "1. kl-explosion" in done.out or "1. high-kl" in done.out
    assert "try:" not in done.out
