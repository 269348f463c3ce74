"""The input and output of a contender of benchmarks/rlhf.py.

    python benchmarks/contenders/run_trl.py '<an RlhfTask as JSON>'

It runs one stage once, from the model of the task's folder, and prints one JSON line, the last of
its stdout. It exits with code 3, the last line of stderr saying why, where its library is not
installed or has no such stage. Times are of the processor, with OMP_NUM_THREADS=1 for all.
"""

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from task import CannotRun, unable


@dataclass(frozen=True)
class RlhfTask:
    """One stage: where the model, the tokenizer and the texts are, and the hyper-parameters.

    The folder holds model/ and scorer/ (each a Hugging Face folder with its tokenizer; the scorer
    is a sequence classifier with one output), demonstrations.jsonl, preferences.jsonl and
    prompts.jsonl. Texts are given as they are; a response ends with the end-of-text token.
    """

    folder: str
    stage: Literal["sft", "reward", "ppo"]
    seed: int
    batch_size: int  # texts, or pairs, or answers of a minibatch
    lr: float
    max_grad_norm: float
    epochs: int = 1
    center: float = 0.0  # of the reward model's scores
    episodes: int = 0
    rollout_size: int = 0
    max_new_tokens: int = 0
    beta: float = 0.0  # of the KL penalty
    gamma: float = 1.0
    lam: float = 0.95
    epsilon: float = 0.2
    value_coefficient: float = 0.1
    value_clip: float = 0.2
    missing_end: float = 1.0

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The objects of one of the folder's JSON Lines files."""
        lines = (Path(self.folder) / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def report(tokens: int, steady: float, whole: float, **more: float) -> None:
    """Print the result: `tokens` are of texts, not padding; rates in tokens a CPU second."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row = {"tokens": tokens, "steady": steady, "whole": whole, "memory_mib": peak, **more}
    print(json.dumps(row), flush=True)


def contend(measure: Callable[[RlhfTask], None]) -> None:
    """Run a contender on the task of the command line."""
    task = RlhfTask.from_json(sys.argv[1])
    os.chdir(tempfile.mkdtemp())  # some libraries leave files where they run
    try:
        measure(task)
    except ImportError as error:
        unable(f"not installed: {error}")
    except CannotRun as error:
        unable(f"cannot run: {error}")
