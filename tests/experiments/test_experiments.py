"""Experiments from spec to results, stopped, killed, gone on with and given more runs."""

import json
import os
import shutil
import signal
import time

from learnt import learnt

from ppoc.formats.experiment import read
from ppoc.runtime.records import checkpoint as checkpoints

RUNS = ["plain-CartPole-v1-seed-1", "small-CartPole-v1-seed-1"]
RUNS += [name.replace("seed-1", "seed-2") for name in RUNS]


def states(folder):
    return {run.run: run.state for run in read(folder).runs}


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(process):
    """Whether a process is there and not a zombie."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(process):
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(child) for child in file.read().split()]


def test_settings_and_seeds_are_run_and_resulted(ppoc, spec, tmp_path):
    done = ppoc("run", spec())
    assert done.code == 0, done.err
    folder = tmp_path / "runs" / "rates-1"
    record = read(folder)
    assert [run.run for run in record.runs] == RUNS
    assert [(run.setting, run.task, run.seed) for run in record.runs] == [
        (setting, "CartPole-v1", seed) for seed in (1, 2) for setting in ("plain", "small")
    ]
    assert (record.question, record.baseline) == ("Do smaller steps help?", "plain")
    for run in record.runs:
        result = json.loads((folder / run.run / "result.json").read_text())
        assert (run.state, run.steps, run.reason) == ("finished", 256, None)
        assert run.score == result["score"] == result["evaluation"]["mean"]
    for name in RUNS:
        assert f"{name}: finished, score" in done.err
    assert "results: runs/rates-1/results.json" in done.out

    before = learnt(folder)
    again = ppoc("run", "runs/rates-1", "--resume")
    assert (again.code, learnt(folder)) == (0, before)
    held = ppoc("run", "runs/rates-1")
    assert held.code == 2
    assert "--resume goes on with it" in held.err

    # A run of an experiment is an ordinary run.
    assert ppoc("run", folder / RUNS[0], "--again", "--out", f"alone/{RUNS[0]}").code == 0
    assert learnt(tmp_path / "alone") == {RUNS[0]: before[RUNS[0]]}


def test_an_experiment_that_is_killed_goes_on_as_if_it_had_not_been(ppoc, spec, tmp_path):
    assert ppoc("run", spec(steps=4096), "--out", "whole", "--quiet").code == 0
    process = ppoc.start("run", spec(steps=4096), "--out", "killed", "--quiet")
    saved = "*/checkpoints/step-*[0-9]/tensors.safetensors"
    wait_for(lambda: list((tmp_path / "killed").glob(saved)))
    runs = children(process.pid)
    assert len(runs) == 2
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(is_alive, runs)), 10)
    assert "running" in states(tmp_path / "killed").values()
    done = ppoc("run", "killed", "--resume")
    assert done.code == 0, done.err
    assert set(states(tmp_path / "killed").values()) == {"finished"}
    assert learnt(tmp_path / "killed") == learnt(tmp_path / "whole")


def test_a_signal_stops_runs_with_a_checkpoint_and_says_how_to_go_on(ppoc, spec, tmp_path):
    process = ppoc.start("run", spec(steps=200_000), "--out", "stopped")
    saved = "*/checkpoints/step-*[0-9]/tensors.safetensors"
    wait_for(lambda: len({x.parts[-4] for x in (tmp_path / "stopped").glob(saved)}) == 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "stopping: runs save a checkpoint; again: at once" in err
    assert "4 of 4 runs are left; `ppoc run stopped --resume` goes on" in err
    assert list(states(tmp_path / "stopped").values()) == ["stopped"] * 2 + ["waiting"] * 2
    for run in read(tmp_path / "stopped").runs[:2]:
        last = (tmp_path / "stopped" / run.run / "metrics.csv").read_text().splitlines()[-1]
        step = int(last.partition(",")[0])
        newest = checkpoints.load_newest(tmp_path / "stopped" / run.run / "checkpoints").path
        assert newest.name == f"step-{step:012}"  # nothing that was learnt is lost
        assert run.steps == step


def test_a_second_signal_stops_at_once(ppoc, spec, tmp_path):
    process = ppoc.start("run", spec(steps=2_000_000), "--out", "stopped")
    wait_for(lambda: list((tmp_path / "stopped").glob("*/metrics.csv")))
    for run in children(process.pid):  # they will not answer
        os.kill(run, signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.8)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 3
    assert set(states(tmp_path / "stopped").values()) == {"stopped", "waiting"}


def test_a_run_that_fails_does_not_stop_the_others(ppoc, spec, tmp_path):
    changes = {
        "id: CartPole-v1": "id: 'faulty:Faulty-v0'",
        "{optimizer.actor.lr: 1e-5}": "{env.options: {fault: raises, at: 700}}",
    }
    path = spec(steps=2048, **changes)
    done = ppoc("run", path, "--trust")
    assert done.code == 3
    folder = tmp_path / "runs" / "rates-1"
    record = read(folder)
    assert [run.state for run in record.runs] == ["finished", "failed"] * 2
    for run in record.runs[1::2]:
        assert "failed to step" in run.reason
        assert "no such joint" in run.reason
        assert f"failed: {run.run}: " in done.err
        assert "no such joint" in (folder / run.run / "output.txt").read_text()
    assert "`ppoc run runs/rates-1 --resume --retry-failed` tries again" in done.err

    # They are tried again only when that is asked for.
    again = ppoc("run", "runs/rates-1", "--resume", "--trust")
    assert (again.code, [run.state for run in read(folder).runs]) == (3, ["finished", "failed"] * 2)
    assert "2 finished before, 2 failed (--retry-failed tries again)" in again.err
    tried = ppoc("run", "runs/rates-1", "--resume", "--trust", "--retry-failed")
    assert "2 to run on this machine" in tried.err
    assert tried.code == 0  # from their checkpoints, they end before the environment fails again
    assert set(states(folder).values()) == {"finished"}


def test_seeds_and_variants_that_are_added_are_run_and_nothing_else(ppoc, spec, tmp_path):
    assert ppoc("run", spec(seeds=1), "--out", "grown", "--quiet").code == 0
    before = learnt(tmp_path / "grown")
    more = {"  small:": "  large: {optimizer.actor.lr: 1e-2}\n  small:"}
    done = ppoc("run", spec(seeds=2, **more), "--resume", "--out", "grown")
    assert done.code == 0, done.err
    assert "4 to run on this machine" in done.err
    assert len(read(tmp_path / "grown").runs) == 6
    assert set(states(tmp_path / "grown").values()) == {"finished"}
    after = learnt(tmp_path / "grown")
    assert {name: after[name] for name in before} == before

    third = ppoc("run", "grown", "--resume", "--seeds", "2,7")
    assert "3 to run on this machine" in third.err
    assert {run.seed for run in read(tmp_path / "grown").runs} == {2, 7}
    assert "not in the spec any more, and kept as they are: " in third.err

    other = ppoc("run", spec(seeds=2, steps=512), "--resume", "--out", "grown")
    assert other.code == 2
    assert "was made with `training.total_steps: 256`, and the spec says 512" in other.err
    assert {name: x for name, x in learnt(tmp_path / "grown").items() if name in after} == after


def test_two_processes_do_not_run_one_experiment(ppoc, spec, tmp_path):
    process = ppoc.start("run", spec(steps=2_000_000), "--out", "held", "--quiet")
    wait_for(lambda: (tmp_path / "held" / "results.json").exists())
    done = ppoc("run", "held", "--resume")
    assert done.code == 2
    assert "another process is running the experiment in held" in done.err
    process.kill()
    process.communicate()


def test_results_that_are_none_are_made_anew_and_newer_ones_refused(ppoc, spec, tmp_path):
    assert ppoc("run", spec(seeds=1), "--out", "made", "--quiet").code == 0
    results = tmp_path / "made" / "results.json"
    whole = results.read_text()
    for strange in ("[]", "{", '{"format": 1}', whole.replace('"plain-', '"../plain-'), "9" * 99):
        results.write_text(strange)
        done = ppoc("run", "made", "--resume")
        assert done.code == 0, done.err
        assert "results.json is made anew from the runs" in done.err
        again = read(tmp_path / "made")
        assert [(run.run, run.state) for run in again.runs] == [(x, "finished") for x in RUNS[:2]]
    results.write_text(whole.replace('"format": 1', '"format": 7'))
    done = ppoc("run", "made", "--resume")
    assert done.code == 2
    assert "a newer ppoc wrote it" in done.err
    results.unlink()
    results.symlink_to(tmp_path / "elsewhere.json")
    done = ppoc("run", "made", "--resume")
    assert done.code == 2
    assert "leads out of" in done.err
    assert not (tmp_path / "elsewhere.json").exists()


def test_what_is_missing_or_leads_elsewhere(ppoc, spec, tmp_path):
    assert ppoc("run", spec(seeds=1), "--out", "made", "--quiet").code == 0
    before = learnt(tmp_path / "made")
    shutil.rmtree(tmp_path / "made" / RUNS[0])  # as one that was killed while it was compiled
    done = ppoc("run", "made", "--resume")
    assert done.code == 0, done.err
    assert learnt(tmp_path / "made") == before

    shutil.move(tmp_path / "made" / RUNS[1], tmp_path / "outside")
    (tmp_path / "made" / RUNS[1]).symlink_to(tmp_path / "outside")
    done = ppoc("run", "made", "--resume")
    assert done.code == 2
    assert "is a link that leads out of made" in done.err


def test_verbs_of_one_run_name_the_runs_of_an_experiment(ppoc, spec, tmp_path):
    assert ppoc("compile", spec(), "--out", "made").code == 0
    more = {"export": ["--format", "onnx"], "eject": ["--out", "ejected"]}
    for verb in ("eval", "export", "chat", "diagnose", "eject"):
        done = ppoc(verb, "made", *more.get(verb, []))
        assert done.code == 2, verb
        assert f"made is of an experiment: give one of its runs, such as made/{RUNS[0]}" in done.err
    assert ppoc("run", "made", "--out", "run", "--quiet").code == 0
    assert set(states(tmp_path / "run").values()) == {"finished"}
