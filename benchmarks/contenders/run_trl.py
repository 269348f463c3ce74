"""TRL's SFTTrainer, RewardTrainer and PPOTrainer.

PPOTrainer was in `trl.experimental` up to TRL 1.12 and is gone since: benchmarks/rlhf.py can be
given an interpreter that has that version. What is not TRL's default: 32-bit floats without
gradient checkpointing (the defaults save a GPU's memory), no dropout, no report to a tracker.
`grouped` sorts texts by length (transformers' group_by_length).
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from rlhf_task import RlhfTask, contend, report
from task import CannotRun, check

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"


def settings(task: RlhfTask) -> dict[str, Any]:
    """The settings that the three configurations share."""
    return {
        "output_dir": "out",
        "per_device_train_batch_size": task.batch_size,
        "num_train_epochs": task.epochs,
        "learning_rate": task.lr,
        "lr_scheduler_type": "constant",
        "max_grad_norm": task.max_grad_norm,
        "seed": task.seed,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
        "dataloader_pin_memory": False,
    }


def supervised(task: RlhfTask, policy: Any, tokenizer: Any, grouping: dict[str, str]) -> Any:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    texts = [
        {"prompt": row["prompt"], "completion": row["response"]}
        for row in task.rows("demonstrations")
    ]
    return SFTTrainer(
        model=policy,
        args=SFTConfig(**settings(task), **grouping, completion_only_loss=True),
        train_dataset=Dataset.from_list(texts),
        processing_class=tokenizer,
    )


def reward(task: RlhfTask, scorer: Any, tokenizer: Any) -> Any:
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    center = task.center or None
    return RewardTrainer(
        model=scorer,
        args=RewardConfig(**settings(task), center_rewards_coefficient=center),
        train_dataset=Dataset.from_list(task.rows("preferences")),
        processing_class=tokenizer,
    )


def reinforce(task: RlhfTask, policy: Any, scorer: Any, value: Any, tokenizer: Any) -> Any:
    from datasets import Dataset

    try:
        from trl.experimental.ppo import PPOConfig, PPOTrainer
    except ImportError as error:
        raise CannotRun("this version of TRL has no PPOTrainer") from error

    class Counting(PPOTrainer):  # type: ignore[misc]
        """Keeps the number of tokens answered in each iteration, and how each ended."""

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            frame = sys._getframe(1)  # train() has no hook that is given the answers
            answered.append(int((frame.f_locals["sequence_lengths"] + 1).sum()))
            scores.append(logs["objective/scores"])
            super().log(logs, start_time)

    answered: list[int] = []
    scores: list[float] = []
    tokenizer.padding_side = "left"
    prompts = [
        {"input_ids": ids}
        for ids in tokenizer([r["prompt"] for r in task.rows("prompts")])["input_ids"]
    ]
    # A batch is a rollout, cut into minibatches. With gradient accumulation, its other way to say
    # this, the optimizer would step once an epoch.
    common = settings(task) | {"per_device_train_batch_size": task.rollout_size}
    trainer = Counting(
        args=PPOConfig(
            **common,
            num_mini_batches=task.rollout_size // task.batch_size,
            num_ppo_epochs=task.epochs,
            total_episodes=task.episodes,
            local_rollout_forward_batch_size=task.rollout_size,
            num_sample_generations=0,
            response_length=task.max_new_tokens,
            stop_token="eos",
            temperature=1.0,
            missing_eos_penalty=task.missing_end,
            kl_coef=task.beta,
            cliprange=task.epsilon,
            vf_coef=task.value_coefficient,
            cliprange_value=task.value_clip,
            gamma=task.gamma,
            lam=task.lam,
        ),
        processing_class=tokenizer,
        model=policy,
        ref_model=None,
        reward_model=scorer,
        value_model=value,
        train_dataset=Dataset.from_list(prompts),
    )
    trainer.answered, trainer.scores = answered, scores
    return trainer


def measure(task: RlhfTask) -> None:
    import torch
    import trl
    from datasets import Dataset  # noqa: F401 (before the clock)
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        TrainerCallback,
    )

    def scorer() -> Any:
        folder = Path(task.folder) / "scorer"
        return AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)

    class Marks(TrainerCallback):
        """The time at which each step ended."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def on_step_end(self, *arguments: Any, **more: Any) -> None:
            self.times.append(time.process_time())

    tokenizer = AutoTokenizer.from_pretrained(Path(task.folder) / "model")
    policy = AutoModelForCausalLM.from_pretrained(Path(task.folder) / "model", dtype=torch.float32)
    _ = trl.SFTTrainer, trl.RewardTrainer  # imported when they are named
    grouping = {"train_sampling_strategy": "group_by_length"} if "grouped" in sys.argv[2:] else {}
    start = time.process_time()
    if task.stage == "sft":
        trainer = supervised(task, policy, tokenizer, grouping)
    elif task.stage == "reward":
        trainer = reward(task, scorer(), tokenizer)
    else:
        trainer = reinforce(task, policy, scorer(), scorer(), tokenizer)
    marks = Marks()
    trainer.add_callback(marks)
    trainer.train()
    trainer.save_model("saved")
    end = time.process_time()

    if task.stage == "ppo":
        iterations = task.episodes // task.rollout_size
        check(iterations, len(marks.times), "iterations")
        tokens, later = sum(trainer.answered), sum(trainer.answered[1:])
        states = trainer.optimizer.optimizer.state.values()
        check(
            iterations * task.epochs * task.rollout_size // task.batch_size,
            max(int(state["step"]) for state in states),
        )
        length = tokens / task.episodes
        final = trainer.scores[-1]
        report(
            tokens,
            later / (marks.times[-1] - marks.times[0]),
            tokens / (end - start),
            score=final,
            length=length,
        )
        return
    data = trainer.train_dataset
    columns = ["input_ids"] if task.stage == "sft" else ["chosen_ids", "rejected_ids"]
    tokens = task.epochs * sum(len(ids) for column in columns for ids in data[column])
    steps = len(marks.times)
    check(task.epochs * -(-len(data) // task.batch_size), steps, "steps")
    skipped = max(1, steps // 10)
    steady = tokens * (steps - skipped) / steps / (marks.times[-1] - marks.times[skipped - 1])
    loss = [row["loss"] for row in trainer.state.log_history if "loss" in row][-1]
    report(tokens, steady, tokens / (end - start), loss=loss)


if __name__ == "__main__":
    contend(measure)
