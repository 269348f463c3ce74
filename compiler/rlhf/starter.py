"""A first spec of a language model, and what its language is."""

STARTER = """\
# A language model that learns from human feedback; `ppoc check {file}`, then `ppoc run {file}`.
# Every other key has a default: `ppoc compile {file}` writes them all to spec.lock.yaml.
ppoc: 1
kind: rlhf
name: {name}
model: {{id: gpt2, lora: {{rank: 8}}}}
data:
  demonstrations: demonstrations.jsonl # {{"prompt": "…", "response": "…"}} a line
  preferences: preferences.jsonl # {{"prompt": "…", "chosen": "…", "rejected": "…"}} a line
sft: {{epochs: 3, optimizer: {{lr: 1e-4, schedule: cosine}}}}
reward: {{epochs: 1, optimizer: {{lr: 1e-4}}}}
ppo: {{episodes: 8192, kl: {{beta: 0.05}}, optimizer: {{lr: 5e-5}}, value_optimizer: {{lr: 1e-4}}}}
training: {{seed: 1}}
"""

INTRODUCTION = """\
# Specs of `kind: rlhf`

Learning from human feedback has a language of its own: a language model instead of networks, files
instead of an environment, and a section for each of the three steps. There are no presets. Paths
are relative to the file that has them.
"""
