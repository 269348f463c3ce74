"""One PPO iteration of TRL over answers that are given to it, and what it computes on the way."""

import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"


class Iteration(NamedTuple):
    """The values that PPOTrainer had, a row an answer, in its own order of rows."""

    rows: list[int]  # which answer each row is
    log_probs: Tensor
    log_probs_ref: Tensor
    values: Tensor
    scores: Tensor
    rewards: Tensor
    advantages: Tensor  # whitened
    returns: Tensor
    metrics: dict[str, float]


def ppo_iteration(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    tokenizer: Any,
    policy: Any,
    reference: Any,
    scorer: Any,
    value: Any,
    prompts: list[list[int]],
    responses: list[list[int]],
    orders: list[list[int]],
    minibatches: int,
    **settings: Any,
) -> Iteration:
    """Train `policy` and `value`, in place, on the responses.

    Args:
        prompts: all different; TRL shuffles them.
        orders: of each epoch, the answers' numbers in the order in which they are learnt from.
        settings: more of PPOConfig.
    """
    from datasets import Dataset
    from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

    number = {tuple(prompt): index for index, prompt in enumerate(prompts)}
    rows: list[int] = []
    longest = max(map(len, responses))

    def given(model: Any, queries: Tensor, size: int, pad: int, config: Any) -> Any:
        """In place of generating: the answers, and the policy's logits at their tokens."""
        rows[:] = [number[tuple(q for q in query if q != pad)] for query in queries.tolist()]
        padded = [responses[i] + [pad] * (longest - len(responses[i])) for i in rows]
        together = torch.cat([queries, torch.tensor(padded)], 1)
        logits = ppo_trainer.forward(model, together, pad).logits
        return together, logits[:, queries.shape[1] - 1 : -1] / settings.get("temperature", 1.0)

    def order(count: int) -> Any:
        return np.array([rows.index(index) for index in wanted.pop(0)])

    wanted = list(orders)
    seen: dict[str, Any] = {}

    class Watched(PPOTrainer):
        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            seen.update(sys._getframe(1).f_locals)
            seen["metrics"] = logs

    config = {
        "num_ppo_epochs": len(orders),
        "num_mini_batches": minibatches,
        "per_device_train_batch_size": len(prompts),
        "local_rollout_forward_batch_size": len(prompts),
        "total_episodes": len(prompts),
        "response_length": longest,
        "num_sample_generations": 0,
        "stop_token": "eos",
        "temperature": 1.0,
        "lr_scheduler_type": "constant",
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
        "output_dir": str(folder),
        **settings,
    }
    tokenizer.padding_side = "left"
    trainer = Watched(
        args=PPOConfig(**config),
        processing_class=tokenizer,
        model=policy,
        ref_model=reference,
        reward_model=scorer,
        value_model=value,
        train_dataset=Dataset.from_list([{"input_ids": prompt} for prompt in prompts]),
    )
    with monkeypatch.context() as patched:
        patched.setattr(ppo_trainer, "batch_generation", given)
        patched.setattr(np.random, "permutation", order)
        trainer.train()
    return Iteration(
        list(rows),
        seen["logprobs"],
        seen["ref_logprobs"],
        seen["values"],
        seen["scores"],
        seen["rewards"],
        seen["advantages"],
        seen["returns"],
        {key: float(value) for key, value in seen["metrics"].items()},
    )
