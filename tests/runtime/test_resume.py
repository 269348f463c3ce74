"""A run that was killed, however and whenever, ends as the one that was not.

`pytest -m slow tests/runtime/test_resume.py` tries every preset with every backend, and writes what
came of them to benchmarks/results/resume.md.
"""

import json
import math
import os
import platform
import random
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import crashes
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.records import evaluations
from ppoc.runtime.run.launch import execute, load_module
from zoo import ROOT

TINY = (
    "training={total_steps: 2048, checkpoint_every: 512, compile: never}",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 2}",
    "evaluation={episodes: 2, every: 384}",
)
SEARCH = (
    "training={total_steps: 2048, checkpoint_every: 512}",
    "update.rollout_steps=128",
    "env={id: Hopper-v5, num_envs: 16, normalize: {observations: true}}",
    "evaluation={episodes: 2, every: 384}",
)
NORMALIZED = "env.normalize={observations: true, rewards: true}"
SPECS = {
    "gymnasium": ("ppo/cartpole", *TINY, NORMALIZED, "env.backend=gymnasium"),
    "envpool": ("ppo/hopper", *TINY, "env.backend=envpool"),
    "device": (
        "ppo/pendulum",
        *TINY,
        NORMALIZED,
        "env.max_episode_steps=50",
        "training.device=cuda",
    ),
    "buffer": ("ppo/hopper", *TINY, "update={buffer: {rollouts: 3, clip: 2.0}}"),
    "memory": (
        "ppo/hopper",
        *TINY,
        "networks.actor={memory: {kind: lstm, size: 8}, layers: [8]}",
        "networks.critic={memory: {kind: gru, size: 8}, layers: [8]}",
    ),
    "search": ("cem/cartpole", *SEARCH),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, compiled_of):
    """A spec's compiled module, how its uninterrupted run ended, and in what time."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            compiled_of(*SPECS[name]).write(folder)
            seconds = crashes.duration(folder / "module.py", folder / "whole")
            made[name] = folder / "module.py", crashes.ending(folder / "whole"), seconds
        return made[name]

    return get


@pytest.mark.parametrize("name", SPECS)
def test_a_run_killed_again_and_again_ends_the_same(whole, tmp_path, name):
    module, expected, seconds = whole(name)
    rng = random.Random(name)
    folder = tmp_path / "run"
    killed = 0
    while killed < 3 and not crashes.finished(folder):
        process = crashes.start(module, folder, resume=folder.exists())
        killed += crashes.stop_after(process, rng.uniform(0, seconds)) == -signal.SIGKILL
    assert crashes.finish(module, folder, resume=True) == 0
    assert crashes.ending(folder) == expected


@pytest.mark.parametrize("name", SPECS)
def test_a_run_stopped_by_a_signal_ends_the_same(whole, tmp_path, name):
    """Also where it was stopped, resumed and stopped again before environments begin anew."""
    module, expected, _ = whole(name)
    folder = tmp_path / "run"
    for steps, iterations in ((256, 2), (384, 1), (768, 3)):
        assert crashes.finish(module, folder, resume=folder.exists(), stop_at=iterations) == 0
        path = checkpoints.latest(folder / "checkpoints")
        assert path.name == f"step-{steps:012d}"
        groups = {key.partition(".")[0] for key in checkpoints.load(path)[0]}
        assert ("replay" in groups) == (name not in ("device", "search"))
    assert crashes.finish(module, folder, resume=True) == 0
    assert crashes.ending(folder) == expected


def test_environments_that_end_elsewhere_begin_anew(whole, tmp_path, capsys):
    module, expected, _ = whole("gymnasium")
    assert crashes.finish(module, tmp_path, stop_at=2) == 0
    tamper(tmp_path, "replay.actions", lambda actions: 1 - actions)
    loaded = load_module(module)
    result = execute(loaded, tmp_path, device="cpu", mode="plain", resume=True)
    said = capsys.readouterr().err
    assert "are not where they were: new episodes begin" in said
    assert result.finished
    assert crashes.ending(tmp_path) != expected


@pytest.mark.parametrize(
    "change", [lambda x: x + 9, lambda x: x - 9, lambda x: x[:, :1], lambda x: x * math.nan]
)
def test_actions_that_no_environment_takes_are_refused(whole, tmp_path, capsys, change):
    module, _, _ = whole("gymnasium")
    assert crashes.finish(module, tmp_path, stop_at=2) == 0
    tamper(tmp_path, "replay.actions", change)
    assert execute(load_module(module), tmp_path, device="cpu", mode="plain", resume=True).finished
    assert "actions that they do not take: new episodes begin" in capsys.readouterr().err


def tamper(folder, name, change):
    """Replace a tensor of the newest checkpoint, checksum and all."""
    path = checkpoints.latest(folder / "checkpoints")
    tensors, metadata = checkpoints.load(path)
    tensors[name] = change(tensors[name])
    checkpoints.save(path.parent, metadata["steps"], tensors, metadata)


def test_other_surroundings_are_told(whole, tmp_path, capsys):
    module, expected, _ = whole("gymnasium")
    assert crashes.finish(module, tmp_path, stop_at=4) == 0
    path = checkpoints.latest(tmp_path / "checkpoints")
    tensors, metadata = checkpoints.load(path)
    assert metadata["surroundings"]["torch"] == torch.__version__
    metadata["surroundings"] |= {"numpy": "1.0", "envpool": "0.1", "threads": "\x1b[31m"}
    checkpoints.save(path.parent, metadata["steps"], tensors, metadata)
    execute(load_module(module), tmp_path, device="cpu", mode="plain", resume=True)
    (line,) = (x for x in capsys.readouterr().err.splitlines() if "surroundings" in x)
    assert f"numpy 1.0, now {np.__version__}; " in line
    assert "threads unreadable, now 1" in line
    assert "torch" not in line
    assert crashes.ending(tmp_path) == expected


def test_the_same_spec_seed_and_machine_give_the_same_bytes(whole, tmp_path):
    for name in ("gymnasium", "envpool", "device"):
        module, expected, _ = whole(name)
        assert crashes.finish(module, tmp_path / name) == 0
        assert crashes.ending(tmp_path / name) == expected


def test_a_run_that_died_between_two_changes_of_files_ends_the_same(whole, tmp_path):
    """Such as between the tensors and the document of a checkpoint, or after its rename."""
    module, expected, _ = whole("gymnasium")
    changes = crashes.durable_changes(module, tmp_path / "counted")
    assert crashes.ending(tmp_path / "counted") == expected
    for at in random.Random(1).sample(range(changes), 6):
        folder = tmp_path / str(at)
        assert crashes.finish(module, folder, die_at=at) == -signal.SIGKILL
        assert crashes.finish(module, folder, resume=True) == 0
        assert crashes.ending(folder) == expected, f"killed before change {at} of {changes}"


def test_a_run_without_a_checkpoint_starts_from_its_beginning(whole, tmp_path):
    module, expected, _ = whole("gymnasium")
    assert crashes.finish(module, tmp_path / "run") == 0
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "run" / "result.json").unlink()
    assert crashes.finish(module, tmp_path / "run", resume=True) == 0
    assert crashes.ending(tmp_path / "run") == expected


def test_a_run_killed_before_its_result_gets_it(whole, tmp_path):
    module, expected, _ = whole("gymnasium")
    assert crashes.finish(module, tmp_path / "run") == 0
    (tmp_path / "run" / "result.json").unlink()
    assert crashes.finish(module, tmp_path / "run", resume=True) == 0
    assert crashes.ending(tmp_path / "run") == expected


def test_what_a_checkpoint_is_resumed_with_is_on_the_disk_before_it(
    module_of, tmp_path, monkeypatch
):
    """So that a power cut cannot take rows that the run would not write again."""
    synced, at_renames = [], []
    fsync, rename = os.fsync, os.rename

    def record_sync(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def record_rename(source, target):
        if Path(target).name.startswith("step-"):
            at_renames.append(set(synced))
            synced.clear()
        rename(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "rename", record_rename)
    every = ("evaluation={episodes: 1, every: 512}", "networks.actor.layers=[4]")
    execute(module_of("ppo/cartpole", *TINY[:2], *every), tmp_path, device="cpu", mode="quiet")
    evaluated = str(tmp_path / evaluations.NAME)  # once more, after the last
    needed = {str(tmp_path / "metrics.csv"), str(tmp_path), evaluated}
    assert [needed - found for found in at_renames] == [set(), set(), set(), {evaluated}]


@pytest.mark.parametrize("result", ["", "{}", "[1]", '{"finished": true, "steps": 128}'])
def test_a_result_that_says_nothing_is_made_again(module_of, tmp_path, result):
    module = module_of("ppo/cartpole", "training.total_steps=512", *TINY[1:])
    execute(module, tmp_path, mode="quiet")
    (tmp_path / "result.json").write_text(result)
    assert not execute(module, tmp_path, mode="quiet", resume=True).earlier
    assert execute(module, tmp_path, mode="quiet", resume=True).earlier


def test_evaluations_after_the_checkpoint_are_dropped(tmp_path):
    for steps in (10, 20, 30):
        evaluations.append(tmp_path, {"steps": steps, "mean": 0.5})
    path = tmp_path / evaluations.NAME
    whole = path.read_text()
    path.write_text(whole + '{"steps": 4')
    evaluations.drop_after(tmp_path, 30)
    assert path.read_text() == whole
    evaluations.drop_after(tmp_path, 20)
    assert path.read_text() == "".join(whole.splitlines(keepends=True)[:2])
    path.write_text("[]\nnot JSON\n{}\n" + whole)
    evaluations.drop_after(tmp_path, 10)
    assert path.read_text() == whole.splitlines(keepends=True)[0]
    evaluations.drop_after(tmp_path / "nowhere", 10)


# ── Every preset, in every way that environments are run, with or without a memory ────────────────

MANY = 5  # interruptions of each
RESULTS = ROOT / "benchmarks" / "results"
SMALL = ("update={rollout_steps: 256}", "evaluation={episodes: 2, every: 768}")
LENGTH = "training={total_steps: 4096, checkpoint_every: 1024, compile: never}"
BACKENDS = {
    "gymnasium": ("env.backend=gymnasium",),
    "envpool": ("env.backend=envpool", "env.threads=2"),
    "torch": ("env.backend=torch",),
    "torch, on the device": ("env.backend=torch", "training.device=cuda"),
}
PRESETS = sorted(path.stem for path in (ROOT / "specs" / "presets").glob("*.yaml"))
RECURRENT = ("a2c", "ppo")
CELLS = tuple(
    f"networks.{part}={{memory: {{kind: {kind}, size: 8}}, layers: [8]}}"
    for part, kind in (("actor", "lstm"), ("critic", "gru"))
)
CASES = [(preset, backend, ()) for preset in PRESETS for backend in BACKENDS]
CASES += [(preset, backend, CELLS) for preset in RECURRENT for backend in list(BACKENDS)[:3]]
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "backend", "cells"),
    CASES,
    ids=[f"{p}-{b}{'-memory' if cells else ''}".replace(" ", "-") for p, b, cells in CASES],
)
def test_every_preset_and_backend(compiled_of, tmp_path, preset, backend, cells):
    """Interrupted at random moments, each ends the same; what was tried is recorded."""
    search = preset == "cem"
    if search and "device" in backend:
        pytest.skip("a search keeps its rollouts on the host")
    changes = [LENGTH, *SMALL, *cells, "env.normalize={observations: true, rewards: true}"]
    if search:
        changes[0] = LENGTH.replace(", compile: never", "")
        changes[-1] = "env={num_envs: 16, normalize: {observations: true}}"
    compiled_of(f"{preset}/cartpole", *changes, *BACKENDS[backend]).write(tmp_path)
    record(preset, backend + (", memory" if cells else ""), interrupted(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["gymnasium", "torch, on the device"])
def test_a_compiled_update(compiled_of, tmp_path, backend):
    """The uninterrupted run compiles it, and the resumed ones find it compiled."""
    changes = (LENGTH.replace("never", "always"), *SMALL, *BACKENDS[backend])
    compiled_of("ppo/cartpole", *changes).write(tmp_path)
    record("ppo", f"{backend}, compiled", interrupted(tmp_path))


@pytest.mark.slow
def test_death_before_every_change_of_files(whole, tmp_path):
    module, expected, _ = whole("gymnasium")
    changes = crashes.durable_changes(module, tmp_path / "counted")
    for at in range(changes):
        folder = tmp_path / str(at)
        assert crashes.finish(module, folder, die_at=at) == -signal.SIGKILL
        assert crashes.finish(module, folder, resume=True) == 0
        assert crashes.ending(folder) == expected, f"killed before change {at} of {changes}"
    counts = {"runs": changes, "SIGKILL": changes, "SIGTERM": 0}
    record("ppo", "gymnasium, before each change of files", counts)


def interrupted(folder):
    """Interrupt runs of a compiled folder at random moments; how many there were of what."""
    module = folder / "module.py"
    crashes.duration(module, folder / "whole")
    expected = crashes.ending(folder / "whole")
    seconds = crashes.duration(module, folder / "again")
    assert crashes.ending(folder / "again") == expected
    rng = random.Random(module.read_text())
    counts = {"runs": 0, "SIGKILL": 0, "SIGTERM": 0}
    while counts["SIGKILL"] + counts["SIGTERM"] < MANY:
        counts["runs"] += 1
        run = folder / f"run-{counts['runs']}"
        while not crashes.finished(run):
            number = rng.choice(SIGNALS)
            process = crashes.start(module, run, resume=run.exists())
            enough = counts["SIGKILL"] + counts["SIGTERM"] >= MANY
            code = crashes.stop_after(
                process, crashes.PATIENCE if enough else rng.uniform(0, seconds), number
            )
            if code < 0:
                counts[number.name] += 1
            elif number == signal.SIGTERM and not crashes.finished(run):
                counts["SIGTERM"] += 1
        assert crashes.ending(run) == expected
    return counts


def record(preset, backend, counts):
    """Add a case to resume.json, and write resume.md anew."""
    path = RESULTS / "resume.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    rows.setdefault(preset, {})[backend] = counts
    path.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    names = ("runs", "SIGKILL", "SIGTERM")
    every = [counts for kinds in rows.values() for counts in kinds.values()]
    total = [sum(counts[name] for counts in every) for name in names]
    lines = [
        f"`pytest -m slow tests/runtime/test_resume.py`, Python {platform.python_version()}, torch "
        f"{torch.__version__}.",
        "",
        "Runs of 4,096 steps of CartPole, saved every 1,024, interrupted at moments drawn",
        "uniformly over a run's time, and resumed until they end. All end with the bytes of the",
        "uninterrupted run: the last checkpoint, metrics.csv without its speed,",
        "evaluations.jsonl, and the evaluation in result.json. Where one differs, the test fails",
        "and writes nothing here.",
        "",
        "| preset | environments | runs | SIGKILL | SIGTERM | differ |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for preset, kinds in sorted(rows.items()):
        for backend, counts in sorted(kinds.items()):
            numbers = " | ".join(str(counts[name]) for name in names)
            lines.append(f"| {preset} | {backend} | {numbers} | 0 |")
    lines.append(f"| all | {len(every)} | {' | '.join(map(str, total))} | 0 |")
    (RESULTS / "resume.md").write_text("\n".join(lines) + "\n")
