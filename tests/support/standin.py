"""A search whose runs are a formula: an engine that writes what runs would have written."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace

from ppoc.compiler.resolve import resolve_text
from ppoc.experiments.engines.engine import Outcome
from ppoc.experiments.run_experiment import Wishes
from ppoc.experiments.search import run_search, seeker

SPEC = """\
ppoc: 1
kind: experiment
name: stand-in
base: {{ppoc: 1, algorithm: ppo, env: {{id: CartPole-v1}}}}
set: {{training.total_steps: 9_000}}
search:
  space:
    optimizer.actor.lr: {{log: [1e-6, 1e-1]}}
    advantage.gamma: {{range: [0.9, 1]}}
  {search}
seeds: {seeds}
{rest}
"""
PARTS = 9
BEST_LR = 1e-3


class Killed(BaseException):
    """The end of the process, as far as a test can have one."""


class StandIn:
    """An engine that makes a ninth of each run whenever it is asked what has ended.

    Attributes:
        made: names of runs in the order in which they began.
        parts: how many ninths were made.
    """

    place = "nowhere"

    def __init__(self, returns, slots=1, kill_after=None):
        self.returns, self.slots, self.kill_after = returns, slots, kill_after
        self.made, self.parts, self.stopped = [], 0, []
        self._running, self._stopping = {}, set()

    def start(self, job):
        self.made.append(job.name)
        self._running[job.name] = job

    def ended(self):
        found = []
        for name, job in list(self._running.items()):
            if name in self._stopping:
                write_result(job.folder, finished=False)
                self.stopped.append(name)
                outcome = Outcome("stopped")
            else:
                outcome = self._train(job)
            if outcome is not None:
                del self._running[name]
                found.append((job, outcome))
        return found

    def _train(self, job):
        if self.parts == self.kill_after:
            raise Killed
        row = json.loads((job.folder / "values.json").read_text())
        part = rows_in(job.folder)
        if part < PARTS:
            value = self.returns(SimpleNamespace(**row, part=part + 1))
            if isinstance(value, str):
                return Outcome("failed", 3, value)
            with (job.folder / "metrics.csv").open("a") as file:
                file.write(f"{1000 * (part + 1)},{value}\n")
            self.parts += 1
        if rows_in(job.folder) < PARTS:
            return None
        value = self.returns(SimpleNamespace(**row, part=PARTS))
        write_result(job.folder, finished=True, score=value, seconds=row.get("seconds", 1.0))
        return Outcome("finished")

    def stop(self, job=None):
        self._stopping |= set(self._running) if job is None else {job.name} & set(self._running)

    def close(self):
        self._running.clear()


def rows_in(folder):
    return len((folder / "metrics.csv").read_text().splitlines()) - 1


def write_result(folder, *, finished, score=None, seconds=1.0):
    row = {"finished": finished, "stopped": not finished, "steps": 9000, "seconds": seconds}
    (folder / "result.json").write_text(json.dumps({"format": 3, **row, "score": score}))


def add_missing(folder, members, *, trust):
    """Needs of runs: their values, instead of a module."""
    for member in members:
        place = folder / member.name
        if not place.exists():
            spec = member.resolved.spec
            place.mkdir()
            values = {"lr": spec.optimizer.actor.lr, "gamma": spec.advantage.gamma}
            values |= {"seed": member.seed, "task": member.task, "name": member.name}
            values["seconds"] = 1e6 * spec.optimizer.actor.lr
            (place / "values.json").write_text(json.dumps(values))
            (place / "metrics.csv").write_text("step,episode_return\n")


class Said(list):
    """A display that keeps what it is told."""

    def message(self, text):
        self.append(text)

    def show(self, view):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def spec(search="", seeds=3, rest=""):
    return resolve_text(SPEC.format(search=search, seeds=seeds, rest=rest), "spec.yaml")


def search(folder: Path, resolved, **wishes):
    """Run a search with the stand-in, and give its record and all that was said."""
    said = Said()
    folder.mkdir(exist_ok=True)
    record = run_search.run_search(folder, resolved, said, Wishes(jobs=1, **wishes), said.append)
    return SimpleNamespace(record=record, said="\n".join(said))


def patch(monkeypatch, engine):
    """Let searches run on a stand-in, without compiling and without waiting."""
    for module in (run_search, seeker):
        monkeypatch.setattr(module, "add_missing", add_missing)
    monkeypatch.setattr("ppoc.experiments.run_experiment.engine_for", lambda *_: engine)
    monkeypatch.setattr("ppoc.experiments.conductor.TICK_SECONDS", 0)
    monkeypatch.setattr(seeker, "TICK_SECONDS", 0)
    monkeypatch.setattr(seeker, "LOOK_SECONDS", 0)
    return engine


def bowl(run):
    """A return that is best at one rate of learning, grows as the run goes on, and has noise."""
    noise = math.sin(1000 * run.seed) + math.sin(run.seed * run.part)
    return (100 - 10 * math.log10(run.lr / BEST_LR) ** 2) * run.part / 9 + noise


def rows(folder):
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def outcomes(folder):
    """All that trials have come to."""
    return [{key: row[key] for key in row if key != "seconds"} for row in rows(folder)]
