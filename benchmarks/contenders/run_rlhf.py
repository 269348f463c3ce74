"""ppoc itself: a spec of one stage compiled and trained, without its comparison at the end.

As the others, it starts PPO's policy from the task's model and reads the reward model and the value
function, each a model of its own, off the task's scorer. `shared` makes the value function a head
on the policy instead, which is what ppoc does unless it is told otherwise; `compiled` compiles the
blocks of the models that learn.
"""

import csv
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlhf_task import RlhfTask, contend, report
from task import check


def spec(task: RlhfTask, stage: str) -> dict[str, Any]:
    """A stage as a document of ppoc's language."""
    folder = Path(task.folder)
    optimizer = {"lr": task.lr, "max_grad_norm": task.max_grad_norm}
    supervised = {"epochs": task.epochs, "batch_size": task.batch_size, "optimizer": optimizer}
    return {
        "ppoc": 1,
        "kind": "rlhf",
        "name": "benchmark",
        "stages": [stage],
        "start": {"policy": "base", "reward": "scorer"} if stage == "ppo" else {},
        "model": {"id": str(folder / "model")},
        "data": {
            name: str(folder / f"{name}.jsonl")
            for name in ("demonstrations", "preferences", "prompts")
        }
        | {"held_out": 0, "max_prompt_tokens": 80, "max_response_tokens": 48},
        "sft": supervised,
        "reward": supervised | {"start": "base", "center": task.center},
        "ppo": {
            "episodes": max(task.episodes, 1),
            "rollout_size": max(task.rollout_size, 1),
            "minibatch_size": task.batch_size,
            "epochs": task.epochs,
            "generation": {"max_new_tokens": max(task.max_new_tokens, 1)},
            "kl": {"beta": task.beta},
            "rewards": {"normalize": False},
            "advantage": {"gamma": task.gamma, "lambda": task.lam},
            "losses": {
                "policy": {"epsilon": task.epsilon},
                # TRL's coefficient weighs half of the squared error
                "value": {"coefficient": task.value_coefficient / 2, "clip": task.value_clip},
            },
            "optimizer": optimizer,
            "value_optimizer": None,
            "value": "shared" if "shared" in sys.argv[2:] else "separate",
        },
        "training": {
            "seed": task.seed,
            "checkpoint_every": 1_000_000,
            "compile": "always" if "compiled" in sys.argv[2:] else "never",
        },
    }


def save_scorer(task: RlhfTask, folder: Path) -> None:
    """Put the task's scorer into a compiled folder, as a run that has trained it would."""
    import shutil

    import torch
    from safetensors.torch import load_file

    from ppoc.runtime.records import checkpoint

    weights = load_file(Path(task.folder) / "scorer" / "model.safetensors")
    tensors = {
        f"reward.trunk.{name.partition('.')[2]}": tensor
        for name, tensor in weights.items()
        if name != "score.weight"
    }
    (folder / "reward").mkdir()
    tensors |= {"reward.head.weight": weights["score.weight"], "reward.head.bias": torch.zeros(1)}
    checkpoint.save(folder / "reward" / "checkpoints", 0, tensors, {"steps": 0})
    shutil.copytree(Path(task.folder) / "model", folder / "tokenizer")


def measure(task: RlhfTask) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ppoc.compiler.output.build import compile_spec
    from ppoc.compiler.resolve import resolve
    from ppoc.runtime.rlhf.kind import KIND
    from ppoc.runtime.rlhf.stage import Stage
    from ppoc.runtime.rlhf.start import inherit
    from ppoc.runtime.run.launch import load_module

    def compiled(stage: str, folder: Path) -> None:
        document = Path(f"{stage}.yaml")
        document.write_text(json.dumps(spec(task, stage)))
        compile_spec(resolve(document, [])).write(folder)

    if task.stage == "ppo":
        compiled("reward", Path("scorer"))
        save_scorer(task, Path("scorer"))

    class Timed(Stage):
        """Keeps the time at which each iteration was logged."""

        def log(self, steps: int, metrics: Mapping[str, float], **more: Any) -> None:
            super().log(steps, metrics, **more)
            times.append(time.process_time())

    times: list[float] = []
    # Imports of the model's own code come before the clock starts, as on TRL's side.
    AutoModelForCausalLM.from_pretrained(Path(task.folder) / "model")
    AutoTokenizer.from_pretrained(Path(task.folder) / "model")
    start = time.process_time()
    compiled(task.stage, Path("run"))
    module = load_module(Path("run") / "module.py")
    KIND.prepare(module)
    inherit(module, Path("run"))
    with Timed(Path("run"), task.stage, device="cpu", mode="quiet", module=module) as run:
        module.INTERFACE.stages[task.stage](run)
    end = time.process_time()

    with (Path("run") / task.stage / "metrics.csv").open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    if task.stage == "ppo":
        check(task.episodes // task.rollout_size, len(rows), "iterations")
        answered = [row["response_length"] * task.rollout_size for row in rows]
        tokens, later = sum(answered), sum(answered[1:])
        report(
            round(tokens),
            later / (times[-1] - times[0]),
            tokens / (end - start),
            score=rows[-1]["score"],
            length=tokens / task.episodes,
        )
        return
    texts = task.rows("demonstrations" if task.stage == "sft" else "preferences")
    check(task.epochs * -(-len(texts) // task.batch_size), len(rows), "steps")
    # A byte is a token, and each answer has its end of text
    lengths = [
        len(text["prompt"].encode()) + len(text[name].encode()) + 1
        for text in texts
        for name in ("response", "chosen", "rejected")
        if name in text
    ]
    tokens = task.epochs * sum(lengths)
    skipped = max(1, len(rows) // 10)
    steady = tokens * (len(rows) - skipped) / len(rows) / (times[-1] - times[skipped - 1])
    report(tokens, steady, tokens / (end - start), loss=rows[-1]["loss"])


if __name__ == "__main__":
    contend(measure)
