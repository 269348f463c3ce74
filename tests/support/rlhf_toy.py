"""A spec of `kind: rlhf` that takes seconds, with its data, for tests."""

import json
import random
from pathlib import Path

WORDS = ["red", "blue", "green", "up", "down"]

SPEC = """\
ppoc: 1
kind: rlhf
name: toy
model: {config: {layers: 1, heads: 2, hidden_size: 32, context: 48}}
data:
  demonstrations: demonstrations.jsonl
  preferences: preferences.jsonl
  held_out: 0.2
  max_prompt_tokens: 12
  max_response_tokens: 24
sft: {epochs: 8, batch_size: 16, optimizer: {lr: 1e-2, schedule: cosine}}
reward: {epochs: 6, batch_size: 16, optimizer: {lr: 3e-3}}
ppo:
  episodes: 96
  rollout_size: 16
  minibatch_size: 8
  epochs: 2
  generation: {max_new_tokens: 16}
  optimizer: {lr: 1e-3}
evaluation: {prompts: 4, samples: 2}
"""


def write_toy(folder: Path) -> Path:
    """Write the spec and its data into a folder; the spec's path."""
    rng = random.Random(0)

    def answer() -> str:
        return " " + " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 3)))

    demonstrations, preferences = [], []
    for number in range(60):
        prompt = f"say {number % 20}:"
        demonstrations.append({"prompt": prompt, "response": answer()})
        answers = sorted(
            {answer() for _ in range(2 + number % 2)}, key=lambda a: (a.count("red"), a)
        )
        if len(answers) == 2:
            preferences.append({"prompt": prompt, "chosen": answers[1], "rejected": answers[0]})
        elif len(answers) > 2:
            preferences.append({"prompt": prompt, "ranking": answers[::-1]})
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("demonstrations", demonstrations), ("preferences", preferences)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    path = folder / "toy.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


# Specs that between them take every branch of the templates and run.
VARIANTS: dict[str, tuple[str, ...]] = {
    "as-it-is": (),
    "llama-bpe": (
        "model.config={architecture: llama, layers: 1, heads: 2, hidden_size: 32, context: 48}",
        "model.tokenizer={bpe: 280}",
        "reward={objective: plackett-luce, margin: 0.1, center: 0, start: base}",
        "ppo.value=separate",
        "ppo.kl={target: 3.0, beta: 0.1, estimator: k3}",
        "ppo.losses.entropy={beta: 0.01}",
        "ppo.optimizer={lr: 1e-3, schedule: linear, warmup: 0.1}",
        "ppo.target_kl=0.5",
        "evaluation.every=2",
    ),
    "lora": (
        "model.config={architecture: gpt_neox, layers: 1, heads: 2, hidden_size: 32, context: 48}",
        "model.lora={rank: 2, dropout: 0.1}",
        "ppo.rewards={normalize: false, clip: 3, missing_end: null}",
        "ppo.generation={max_new_tokens: 16, top_k: 50, top_p: 0.9, temperature: 0.8}",
        "ppo.kl.estimator=k2",
        "ppo.losses={policy: {objective: 'ratio * A - c * kl', parameters: {c: 0.1}}, "
        "value: {clip: null}}",
    ),
    "lora-separate": ("model.lora={rank: 2}", "ppo.value=separate", "ppo.value_optimizer=null"),
    "dropout": (
        "model.config.dropout=0.1",
        "sft.loss_on=all",
        "sft.optimizer={lr: 1e-2, schedule: [[0, 0.1], [0.5, 1], [1, 0]], weight_decay: 0.01}",
        "ppo.advantage.whiten=false",
        "training.checkpoint_every=2",
        "data.held_out=0",
    ),
    "bfloat16": ("model.dtype=bfloat16",),
}
