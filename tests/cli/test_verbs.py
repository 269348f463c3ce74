"""Every verb, as a user types it: what it prints, what it writes, and its exit code."""

import json
import shutil
import subprocess
import sys

import pytest

from ppoc.runtime.records import checkpoint as checkpoints

SHORT = (
    "-s",
    "training.total_steps=512",
    "-s",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 2}",
    "-s",
    "evaluation.episodes=4",
)


def test_init_writes_a_spec_that_checks(ppoc, tmp_path):
    done = ppoc("init", "first.yaml", "--env", "Pendulum-v1")
    assert (done.code, done.out.strip()) == (0, "first.yaml")
    assert "Pendulum-v1" in (tmp_path / "first.yaml").read_text()
    assert ppoc("check", "first.yaml").code == 0
    assert ppoc("init", "first.yaml").code == 2
    assert ppoc("init", "first.yaml", "--force").code == 0


def test_init_refuses_an_environment_that_does_not_exist(ppoc, tmp_path):
    done = ppoc("init", "--env", "CartPol-v1")
    assert done.code == 1
    assert "did you mean `CartPole-v1`" in done.err
    assert not (tmp_path / "spec.yaml").exists()


def test_check_shows_place_and_fix(ppoc, spec):
    spec.write_text(spec.read_text().replace("epochs", "epochz"))
    done = ppoc("check", spec)
    assert done.code == 1
    assert "error[E010]: unknown key `epochz`" in done.err
    assert "^^^^^^" in done.err
    assert "did you mean `epochs`?" in done.err
    assert json.loads(ppoc("check", spec, "--format", "json").out)[0]["code"] == "E010"


def test_check_takes_several_specs(ppoc, spec):
    (spec.parent / "other.yaml").write_text(spec.read_text())
    assert "2 specs checked" in ppoc("check", spec, "other.yaml", spec).out
    assert ppoc("check", spec, "missing.yaml").code == 1


def test_compile_writes_three_files(ppoc, spec, tmp_path):
    done = ppoc("compile", spec, "--explain-plan")
    folder = tmp_path / "compiled" / "cartpole-v1-ppo"
    assert done.code == 0
    assert "update: eager" in done.out
    assert done.out.strip().endswith("module.py")
    names = {path.name for path in folder.iterdir()}
    assert names == {"module.py", "spec.lock.yaml", "manifest.json"}
    first = (folder / "module.py").read_bytes()
    assert ppoc("compile", folder / "spec.lock.yaml", "--out", "again").code == 0
    assert (tmp_path / "again" / "module.py").read_bytes() == first


def test_a_prebuilt_run_starts_warm(ppoc, spec, tmp_path, monkeypatch):
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))
    compiled = (*SHORT, "-s", "training.compile=always", "-s", "env.backend=gymnasium")
    done = ppoc("compile", spec, *compiled, "--prebuild")
    assert done.code == 0
    assert "compiling update" in done.err
    assert "compiled and kept for runs: update" in done.err
    done = ppoc("run", spec, *compiled)
    assert done.code == 0
    assert "compiling" not in done.err
    assert "nothing to compile" in ppoc("compile", spec, *SHORT, "--prebuild").err


def test_run_a_spec(ppoc, spec, tmp_path):
    done = ppoc("run", spec, *SHORT, "--seed", "3")
    assert done.code == 0
    assert "over 4 episodes" in done.out
    assert "run folder: runs/cartpole-v1-ppo-1" in done.out
    folder = tmp_path / "runs" / "cartpole-v1-ppo-1"
    assert "seed: 3" in (folder / "spec.lock.yaml").read_text()
    assert list((folder / "tensorboard").iterdir())
    result = json.loads((folder / "result.json").read_text())
    assert (result["finished"], result["steps"]) == (True, 512)
    assert ppoc("run", spec, *SHORT, "-q").code == 0
    assert (tmp_path / "runs" / "cartpole-v1-ppo-2").is_dir()


def test_run_a_compiled_folder(ppoc, spec, tmp_path):
    assert ppoc("compile", spec, *SHORT, "--out", "folder").code == 0
    assert ppoc("run", "folder", "--out", "run1", "-q").code == 0
    assert ppoc("run", "folder", "--out", "run2", "-q", "--seed", "9").code == 0
    modules = [(tmp_path / name / "module.py").read_text() for name in ("folder", "run1", "run2")]
    assert modules[0] == modules[1]
    assert "SEED = 9" in modules[2]


def test_run_prints_json_lines(ppoc, spec):
    done = ppoc("run", spec, *SHORT, "--json", "--out", "run")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["step"] for row in rows if row["event"] == "update"] == [128, 256, 384, 512]


def test_run_resumes(ppoc, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    done = ppoc("run", trained, "--resume", "-q")
    assert done.code == 0
    assert "the run is finished, at 512 steps" in done.out
    assert before == {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert ppoc("run", trained, "--resume", "-s", "training.seed=2").code == 2
    assert ppoc("run", trained.parent, "--resume").code == 2


def test_run_resumes_what_has_no_checkpoint_and_what_has_no_result(ppoc, trained):
    shutil.rmtree(trained / "checkpoints")
    before = json.loads((trained / "result.json").read_text())
    for path in (trained / "result.json", trained / "metrics.csv"):
        path.unlink()
    done = ppoc("run", trained, "--resume")
    assert done.code == 0
    assert "no checkpoint was saved yet: the run starts from its beginning" in done.err
    (trained / "result.json").unlink()
    assert ppoc("run", trained, "--resume", "-q").code == 0
    after = json.loads((trained / "result.json").read_text())
    assert (before["steps"], before["evaluation"]) == (after["steps"], after["evaluation"])


def test_run_never_overwrites(ppoc, spec, trained):
    done = ppoc("run", spec, *SHORT, "--out", trained)
    assert done.code == 2
    assert "not empty" in done.err


def test_a_failed_run_exits_with_3_and_names_the_checkpoint(ppoc, trained):
    for path in (trained / "checkpoints").iterdir():
        (path / checkpoints.TENSORS).write_bytes(b"damaged")
    (trained / "result.json").unlink()
    done = ppoc("run", trained, "--resume", "-q")
    assert done.code == 3
    assert "can be read" in done.err
    assert str(checkpoints.latest(trained / "checkpoints")) in done.err


READERS = (
    ("run", "RUN", "--resume", "-q"),
    ("eval", "RUN", "-n", "2", "--video", "episode.mp4"),
    ("export", "RUN", "--format", "torchscript"),
    ("export", "RUN", "--format", "hub"),
    ("variance", "agent.yaml", *SHORT, "--batches", "2", "--from", "RUN"),
)


def test_every_reader_of_checkpoints_goes_back_from_a_damaged_one(ppoc, trained):
    (trained / "result.json").unlink()
    for number, verb in enumerate(READERS):
        run = shutil.copytree(trained, trained.with_name(f"run-{number}"))
        *_, good, newest = sorted((run / "checkpoints").iterdir())
        (newest / checkpoints.TENSORS).write_bytes(b"damaged")
        assert f"the last good checkpoint is {good}" in ppoc("diagnose", run).out
        verb = [run if word == "RUN" else word for word in verb]
        done = ppoc(*verb)
        assert done.code == 0, done.err
        assert done.err.count("warning: going back to") == 1
        assert all(str(path) in done.err for path in (good, newest))

        for path in (run / "checkpoints").iterdir():
            (path / checkpoints.TENSORS).write_bytes(b"damaged")
        (run / "result.json").unlink(missing_ok=True)
        if "hub" in verb:
            shutil.rmtree(run / "hub")
        done = ppoc(*verb)
        assert (done.code, done.err.count("error:")) == (3, 1)
        assert "can be read" in done.err


def test_cuda_where_there_is_none_is_one_error(ppoc, spec):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = ppoc("run", spec, *SHORT, "--device", "cuda", "-q")
    assert done.code == 3
    assert "no CUDA device" in done.err


def test_eval_reports_mean_and_interval(ppoc, trained):
    done = ppoc("eval", trained, "-n", "6")
    assert done.code == 0
    assert "over 6 episodes" in done.out
    modes = [
        json.loads(ppoc("eval", trained, "-n", "6", "--json", option).out)
        for option in ("--deterministic", "--sampled")
    ]
    assert modes[0]["mean"] != modes[1]["mean"]
    assert modes[0]["iqm_low"] <= modes[0]["iqm"] <= modes[0]["iqm_high"]


def test_eval_records_a_video(ppoc, trained, tmp_path):
    done = ppoc("eval", trained, "-n", "1", "--video", "episode.mp4")
    assert done.code == 0
    assert (tmp_path / "episode.mp4").read_bytes()[4:8] == b"ftyp"


def test_eval_of_something_else_is_one_error(ppoc, tmp_path, spec):
    assert ppoc("eval", tmp_path).code == 2
    assert ppoc("compile", spec, "--out", "folder").code == 0
    assert "no checkpoint" in ppoc("eval", "folder").err


def test_schema_is_json(ppoc, tmp_path):
    schema = json.loads(ppoc("schema").out)
    assert "losses" in schema["$defs"]["AgentSpec"]["properties"]
    assert "ppo" in schema["$defs"]["RlhfSpec"]["properties"]
    assert ppoc("schema", "--out", "ppoc.schema.json").code == 0
    assert json.loads((tmp_path / "ppoc.schema.json").read_text()) == schema


def test_explain_prints_mathematics(ppoc, spec):
    done = ppoc("explain", spec)
    assert done.code == 0
    assert "E[min(r·Â, clip(r, 1 − ε, 1 + ε)·Â)]" in done.out
    assert "E[min(r·Â, clip(r, 0.8, 1.2)·Â)]" in done.out
    assert "Schulman et al. 2017" in done.out
    own = ppoc("explain", spec, "-s", "losses.policy.objective=ratio*A", "--latex")
    assert r"r_t(\theta)\,\hat A_t" in own.out
    wrong = ppoc("explain", spec, "-s", "losses.policy.objective=rato*A")
    assert (wrong.code, "did you mean `ratio`" in wrong.err) == (1, True)


def test_explain_has_a_trust_region_as_a_constraint(ppoc, spec):
    change = ("-s", "algorithm=trpo", "-s", "losses.entropy.beta=0.01")
    text = ppoc("explain", spec, *change).out
    assert "maximise policy + 0.01·entropy   subject to   E[KL(π_old, π)] ≤ 0.01" in text
    assert "whole loss" not in text
    tex = ppoc("explain", spec, *change, "--latex").out
    assert r"\text{subject to}" in tex


def test_diff_compares_meaning(ppoc, spec, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(spec.read_text().replace("lr: 3e-4", "lr: 0.0003"))
    assert ppoc("diff", spec, other).out.strip() == "the specs mean the same"
    other.write_text("extends: agent.yaml\nlosses: {policy: {ε: 0.1}}\nname: else\n")
    done = ppoc("diff", spec, other)
    assert done.out.splitlines() == [
        "losses.policy.epsilon  0.2 → 0.1  (preset ppo → other.yaml:2)",
        "1 value differs",
    ]
    assert json.loads(ppoc("diff", spec, other, "--json").out)[0]["path"] == "losses.policy.epsilon"
    other.write_text("extends: agent.yaml\nlosses: {policy: {ε: 0.1}, entropy: {β: 0.01}}\n")
    *_, count, advice = ppoc("diff", spec, other).out.splitlines()
    assert count == "2 values differ"
    assert "one at a time" in advice


def test_variance_compares_estimators(ppoc, tmp_path):
    """The lecture's order; a constant baseline is enough to see it."""
    names = ("reinforce", "reinforce-to-go", "reinforce-mean-baseline")
    for name in names:
        ppoc("zoo", "copy", f"{name}/cartpole", f"{name}.yaml")
    flags = ("--batches", "24", "-s", "advantage.gamma=0.99", "--plot", "bars.png", "--json")
    done = ppoc("variance", *(f"{name}.yaml" for name in names), *flags)
    assert done.code == 0
    rows = json.loads(done.out)
    relative = [rows[f"{name}.yaml"]["relative"] for name in names]
    assert relative[0] > relative[1] > relative[2]
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")
    assert "relative" in ppoc("variance", "reinforce.yaml", "--batches", "2").out


def test_zoo_lists_shows_and_copies(ppoc, tmp_path):
    assert "ppo/cartpole" in ppoc("zoo", "list").out
    assert "id: CartPole-v1" in ppoc("zoo", "show", "ppo/cartpole").out
    assert ppoc("zoo", "copy", "ppo/cartpole").code == 0
    assert ppoc("check", tmp_path / "cartpole.yaml").code == 0
    assert ppoc("zoo", "copy", "ppo/cartpole").code == 2
    assert "did you mean ppo/cartpole?" in ppoc("zoo", "show", "ppo/cartpol").err


def test_import_writes_specs_and_says_what_is_lost(ppoc, tmp_path):
    (tmp_path / "ppo.yml").write_text(
        "CartPole-v1: {n_envs: 8, n_steps: 32, n_timesteps: 1e5, callback: mine}\n"
        "Acrobot-v1: {n_timesteps: 1e6, learning_rate: fast}\n"
    )
    done = ppoc("import", "rl-zoo", "ppo.yml", "-o", "specs")
    assert (done.code, done.out.strip()) == (1, "specs/cartpole-v1-ppo.yaml")
    assert "callback" in done.err
    assert "error[E902]: `learning_rate`" in done.err
    assert "1 written, 1 refused" in done.err
    assert ppoc("check", "specs/cartpole-v1-ppo.yaml").code == 0
    again = ppoc("import", "rl-zoo", "ppo.yml", "--env", "CartPole-v1", "-o", "specs")
    assert (again.code, "--force overwrites" in again.err) == (2, True)
    assert ppoc("import", "rl-zoo", "none.yml").code == 1


def test_import_evaluates_a_model_of_stable_baselines3(ppoc, tmp_path):
    from stable_baselines3 import A2C

    A2C("MlpPolicy", "CartPole-v1", device="cpu").save(tmp_path / "model.zip")
    done = ppoc("import", "sb3", "model.zip", "--env", "CartPole-v1", "-o", "run")
    assert (done.code, done.out.strip()) == (0, "run folder: run")
    assert "mean return" in ppoc("eval", "run", "-n", "2").out
    assert ppoc("import", "sb3", "model.zip", "--env", "Pendulum-v1").code == 1
    assert ppoc("import", "sb3", "none.zip", "--env", "Pendulum-v1").code == 1


def test_export_and_eject(ppoc, spec, trained, tmp_path):
    done = ppoc("export", trained, "--format", "onnx")
    assert (done.code, done.out.strip()) == (0, str(trained / "policy.onnx"))
    assert ppoc("export", trained, "--format", "hub", "-o", "card").code == 0
    assert "mean return" in ppoc("eval", "card", "-n", "2").out
    assert ppoc("export", trained, "--format", "hub", "-o", "card").code == 2
    assert ppoc("export", tmp_path, "--format", "onnx").code == 2
    for source in (spec, trained):
        done = ppoc("eject", source, "-o", f"of-{source.stem}")
        assert (done.code, done.out) == (0, f"of-{source.stem}/module.py\n")
        assert (tmp_path / f"of-{source.stem}" / "ppoc" / "runtime" / "__init__.py").is_file()
    again = ppoc("eject", trained, "-o", "of-trained")
    assert (again.code, "of-trained is not empty" in again.err) == (2, True)
    assert not (tmp_path / "of-trained" / "checkpoints").exists()
    assert ppoc("eject", tmp_path, "-o", "other").code == 2


def test_misuse_exits_with_2(ppoc):
    assert ppoc("nonsense").code == 2
    assert ppoc("run").code == 2
    assert ppoc("eval", "x", "--episodes", "0").code == 2


@pytest.mark.parametrize(
    "verb",
    [
        "init",
        "check",
        "compile",
        "run",
        "eval",
        "explain",
        "diff",
        "variance",
        "schema",
        "zoo",
        "import",
        "export",
        "eject",
    ],
)
def test_every_verb_has_help(ppoc, verb):
    done = ppoc(verb, "--help")
    assert done.code == 0
    assert "Usage: ppoc" in done.out


def test_check_takes_folders(ppoc, spec, tmp_path):
    folder = tmp_path / "specs"
    folder.mkdir()
    assert ppoc("check", folder).code == 2
    (folder / "other.yaml").write_text("jobs: 1\n")
    (folder / "a.yaml").write_text(spec.read_text())
    assert "ok: 1 spec checked, 1 other YAML file left alone" in ppoc("check", folder).out
    (folder / "b.yaml").write_text("extends: a.yaml\nupdate: {epochs: 0, target: 1}\n")
    done = ppoc("check", folder, spec, folder / "a.yaml")
    assert done.code == 1
    assert done.err.endswith(
        "\n2 errors in 1 of 3 specs, 1 other YAML file left alone; `ppoc explain E010` says more\n"
    )


@pytest.mark.parametrize("format", ["json", "sarif", "github"])
def test_check_prints_formats_for_machines_alone(ppoc, spec, format):
    assert ppoc("check", spec, "--format", format).code == 0
    done = ppoc("check", spec, "-s", "update.epochs=0", "--format", format)
    assert done.code == 1
    assert "E012" in done.out
    if format != "github":
        json.loads(done.out)


@pytest.mark.parametrize("raised", [SystemExit(0), GeneratorExit()])
def test_code_of_others_does_not_end_a_verb_as_if_all_were_well(ppoc, spec, monkeypatch, raised):
    def ending(*arguments):
        raise raised

    monkeypatch.setattr("ppoc.compiler.batch.check_all", ending)
    done = ppoc("check", spec)
    assert (done.code, "in code of others, at" in done.err) == (3, True)


def test_check_imports_neither_torch_nor_symai(tmp_path, spec):
    code = (
        "import sys; from ppoc.cli.app import app; app(['check', sys.argv[1]], "
        "standalone_mode=False); print([m for m in ('torch', 'symai', 'envpool') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, spec], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["ok: 1 spec checked", "[]"]


def test_explain_prints_the_page_of_a_code(ppoc, spec):
    done = ppoc("explain", "e104")
    assert (done.code, done.out.splitlines()[0]) == (0, "# E104: an estimator without its critic")
    assert "- [E104](" in ppoc("explain", "--codes").out
    assert ppoc("explain").code == 2
    unknown = ppoc("explain", "E999")
    assert (unknown.code, "no code E999" in unknown.err) == (2, True)
    spec.rename(spec.parent / "W999")
    assert "E[min(" in ppoc("explain", "W999").out


def test_every_verb_says_how_to_learn_more_of_a_code(ppoc, spec):
    assert "`ppoc explain E012` says more" in ppoc("compile", spec, "-s", "update.epochs=0").err


def test_a_spec_of_the_zoo_is_copied_with_its_data(ppoc, tmp_path):
    assert ppoc("zoo", "copy", "rlhf/tiny").out == "tiny.yaml\ntiny\n"
    assert ppoc("check", "tiny.yaml").code == 0
    assert {"demonstrations.jsonl", "preferences.jsonl"} <= {p.name for p in tmp_path.glob("*/*")}
    (tmp_path / "tiny.yaml").unlink()
    again = ppoc("zoo", "copy", "rlhf/tiny")
    assert (again.code, "tiny exists" in again.err) == (2, True)
    assert ppoc("zoo", "copy", "rlhf/tiny", "--force").code == 0


def test_verbs_of_a_spec_of_rlhf(ppoc):
    assert ppoc("init", "model.yaml", "--kind", "rlhf").code == 0
    assert ppoc("check", "--no-probe", "model.yaml").code == 0
    assert "error[E410]" in ppoc("check", "model.yaml").err
    assert "E[min(r·Â" in ppoc("explain", "model.yaml").out
    assert "RLHF on gpt2" in ppoc("describe", "model.yaml").out
    assert "mean the same" in ppoc("diff", "model.yaml", "model.yaml").out
    ppoc("init", "agent.yaml")
    assert ppoc("diff", "model.yaml", "agent.yaml").code == 2
    variance = ppoc("variance", "model.yaml")
    assert (variance.code, "error[E401]" in variance.err) == (1, True)
    request = "fine-tune gpt2 with RLHF: SFT on demos.jsonl, rewards of prefs.jsonl, KL 0.05"
    drafted = ppoc("draft", request, "-o", "drafted.yaml")
    assert (drafted.code, "demos.jsonl is not there yet" in drafted.err) == (0, True)
    assert "0.1" in ppoc("draft", "--edit", "drafted.yaml", "double the KL penalty").out
    assert ppoc("check", "--no-probe", "drafted.yaml").code == 0
