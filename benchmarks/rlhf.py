"""The three stages of RLHF beside TRL: one model, the same texts and hyper-parameters, in one run.

    python benchmarks/rlhf.py [--stage sft reward ppo] [--trl PYTHON ...] [--only NAME ...]

Each measurement is a fresh process that runs one stage; the contenders alternate, so that a drift
of the machine falls on all of them. All get one thread, 32-bit floats, the same weights to start
from, the same tokenizer, and a model without dropout. What is measured, in tokens a second of the
processor, which other work on the machine hardly changes, padding not counted:

- supervised fine-tuning: of prompts and responses; reward model: of prompts with each of their two
  answers; PPO: of answers generated, each once, whatever is done with it;
- steady: without what the first tenth of the steps (PPO: the first iteration) costs;
- whole: all tokens over all seconds, reading the texts and saving the model included, but not
  imports; ppoc also compiles its spec.

--trl gives interpreters that have other versions of TRL, each a contender: PPOTrainer is in TRL up
to 1.12, and `pip install 'ppoc[bench]'` has it. Prints a table and writes it to
benchmarks/results/rlhf.{json,md}, where what was not run keeps the rows it had, and what was
written about the table is kept.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CONTENDERS = ROOT / "benchmarks" / "contenders"
sys.path.insert(0, str(CONTENDERS))

from rlhf_task import RlhfTask  # noqa: E402

END, PAD = "<|end|>", "<|pad|>"
TEXT = """the river runs past an old mill where children fish for trout and sing of ships that came
home with salt bread silver cloth amber beads dates figs cedar planks glass ink paper a clock"""
WORDS = TEXT.split()


class Size(NamedTuple):
    """A model, and how many texts it is trained on."""

    layers: int
    heads: int
    hidden: int
    vocabulary: int  # rows of the embedding; the tokenizer needs fewer
    texts: int
    episodes: int
    rollout_size: int


SIZES = {
    "tiny": Size(2, 4, 128, 258, 1024, 384, 128),
}
STAGES = {
    "sft": {"batch_size": 32, "lr": 1e-3, "max_grad_norm": 1.0},
    "reward": {"batch_size": 32, "lr": 1e-3, "max_grad_norm": 1.0, "center": 0.01},
    "ppo": {
        "batch_size": 32,
        "lr": 1e-4,
        "max_grad_norm": 1.0,
        "epochs": 4,
        "max_new_tokens": 32,
        "beta": 0.05,
    },
}


def texts(count: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Demonstrations that repeat some words of a prompt, and pairs with one that does not."""
    draw = random.Random(1)
    demonstrations, preferences = [], []
    for _ in range(count):
        words = draw.choices(WORDS, k=draw.randint(2, 10))
        prompt = f"{' '.join(words)}:"
        good, bad = (
            " " + " ".join(draw.choices(among, k=draw.randint(1, 6)))[:28]
            for among in (words, WORDS)
        )
        if bad == good:
            bad += "?"
        demonstrations.append({"prompt": prompt, "response": good})
        preferences.append({"prompt": prompt, "chosen": good, "rejected": bad})
    return demonstrations, preferences


def prepare(size: Size, folder: Path) -> None:
    """The task's folder: data, a policy that has learned to end its answers, and a scorer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        GPT2Config,
        GPT2ForSequenceClassification,
        GPT2LMHeadModel,
        PreTrainedTokenizerFast,
    )

    demonstrations, preferences = texts(size.texts)
    prompts = [{"prompt": row["prompt"]} for row in demonstrations]
    for name, rows in (
        ("demonstrations", demonstrations),
        ("preferences", preferences),
        ("prompts", prompts),
    ):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, END, PAD])}
    model = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    model.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, eos_token=END, pad_token=PAD)

    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=size.vocabulary,
        n_positions=128,
        n_embd=size.hidden,
        n_layer=size.layers,
        n_head=size.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=vocabulary[END],
        eos_token_id=vocabulary[END],
        pad_token_id=vocabulary[PAD],
        num_labels=1,
    )
    policy = GPT2LMHeadModel(config)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=2e-3)
    rows = [row["prompt"] + row["response"] + END for row in demonstrations]
    draw = random.Random(2)
    for _ in range(150):
        batch = tokenizer(draw.sample(rows, 16), padding=True, return_tensors="pt")
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        policy(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    scorer = GPT2ForSequenceClassification(config)
    scorer.transformer.load_state_dict(policy.transformer.state_dict())
    for name, network in (("model", policy), ("scorer", scorer)):
        network.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


class Contender(NamedTuple):
    script: str
    python: str
    arguments: tuple[str, ...] = ()
    stages: tuple[str, ...] = tuple(STAGES)


def contenders(pythons: list[str]) -> dict[str, Contender]:
    """By name: ppoc, and TRL in each of its versions."""
    found = {
        "ppoc": Contender("run_rlhf", sys.executable),
        "ppoc, compiled": Contender("run_rlhf", sys.executable, ("compiled",)),
        "ppoc, value: shared": Contender("run_rlhf", sys.executable, ("shared",), ("ppo",)),
    }
    for python in pythons:
        code = "import importlib.metadata as m; print(m.version('trl'))"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        name = f"trl {done.stdout.strip() or 'missing'}"
        found[name] = Contender("run_trl", python)
        found[f"{name}, texts grouped by length"] = Contender(
            "run_trl", python, ("grouped",), ("sft",)
        )
    return found


def run_one(contender: Contender, task: RlhfTask) -> dict[str, Any]:
    """One measurement, or why there is none."""
    script = str(CONTENDERS / f"{contender.script}.py")
    command = [contender.python, script, json.dumps(asdict(task)), *contender.arguments]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PPOC_CACHE": f"{task.folder}/cache",  # what one repeat compiles, the next ones find
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"reason": lines[-1]}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


Rows = dict[str, dict[str, dict[str, list[dict[str, Any]]]]]  # by size, stage and contender


def compare(
    size: Size, stages: list[str], entrants: dict[str, Contender], repeats: int
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Rows of each stage and contender, one a repeat; of one that cannot run, the reason, once."""
    with tempfile.TemporaryDirectory() as temporary:
        prepare(size, Path(temporary))
        more = {"episodes": size.episodes, "rollout_size": size.rollout_size}
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for stage in stages:
            told = STAGES[stage] | (more if stage == "ppo" else {})
            task = RlhfTask(folder=temporary, stage=stage, seed=1, **told)  # type: ignore[arg-type]
            names = [name for name, one in entrants.items() if stage in one.stages]
            found[stage] = {name: [] for name in names}
            for repeat in range(repeats):
                for name in names:
                    rows = found[stage][name]
                    if rows and "reason" in rows[0]:
                        continue
                    rows.append(run_one(entrants[name], task))
                    print(f"{repeat + 1}/{repeats} {stage} {name}: {rows[-1]}", file=sys.stderr)
        return found


def table(results: Rows) -> str:
    lines = [
        "| model | stage | contender | tokens | steady tokens/s | ppoc is | whole tokens/s "
        "| ppoc is | MiB | runs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size, stages in results.items():
        for stage, contended in stages.items():
            middle = {
                name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                for name, runs in contended.items()
                if runs and "reason" not in runs[0]
            }
            own = middle.get("ppoc")
            for name, runs in sorted(contended.items()):  # ppoc comes first
                if name not in middle:
                    lines.append(f"| {size} | {stage} | {name} | {runs[0]['reason']} |" + " |" * 6)
                    continue
                row = middle[name]
                ratios = [f"{own[x] / row[x]:.1f}×" if own else "–" for x in ("steady", "whole")]
                lines.append(
                    f"| {size} | {stage} | {name} | {row['tokens']:,.0f} | {row['steady']:,.0f} "
                    f"| {ratios[0]} | {row['whole']:,.0f} | {ratios[1]} | {row['memory_mib']:.0f} "
                    f"| {len(runs)} |"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--stage", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trl", nargs="+", default=[sys.executable], metavar="PYTHON")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    entrants = contenders(arguments.trl)
    if unknown := set(arguments.only or ()) - entrants.keys():
        parser.error(f"no contender {sorted(unknown)}; there are {sorted(entrants)}")
    entrants = {n: one for n, one in entrants.items() if n in (arguments.only or entrants)}
    path = RESULTS / "rlhf.json"
    measured = {
        name: compare(SIZES[name], arguments.stage, entrants, arguments.repeats)
        for name in arguments.size
    }
    results: Rows = json.loads(path.read_text())["results"] if path.exists() else {}
    for name, found in measured.items():
        for stage, rows in found.items():
            results.setdefault(name, {}).setdefault(stage, {}).update(rows)
    record = {
        "command": "python benchmarks/rlhf.py --trl PYTHON",
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {name: version(name) for name in ("ppoc", "torch", "transformers")},
        "results": results,
    }
    text = table(results)
    path.write_text(json.dumps(record, indent=1) + "\n")
    note = (
        f"`{record['command']}` on {record['machine']}, one thread; medians; "
        "`ppoc is` so many times as fast.\n"
    )
    written = RESULTS / "rlhf.md"
    about = written.read_text().partition("\n## ")[2] if written.exists() else ""
    written.write_text(f"{note}\n{text}\n" + (f"\n## {about}" if about else ""))
    print(text)


if __name__ == "__main__":
    main()
