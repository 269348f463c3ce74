"""Gain of compiling a transformer block in a gradient step, by the size of the model.

    python benchmarks/compiled_blocks.py [--model gpt2-128 …] [--steps 24]

Each model runs in a process of its own with one thread and an empty cache: supervised gradient
steps on batches of 32 random texts of 40 to 128 tokens, each batch once with blocks as written and
once compiled, in turn. Times are of the processor, so that other work on the machine changes them
little; compiling counts the compilers that torch starts. Of `whole`, the whole trunk is compiled.
Prints a table and writes it to benchmarks/results/compiled_blocks.{json,md}.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
CONTEXT = 128
BATCH = 32


class Case(NamedTuple):
    """A model of two layers, and what is compiled of it."""

    architecture: str
    hidden: int
    lora: bool = False
    alike: bool = False  # neighbours begin alike, as the answers that a reward model ranks
    whole: bool = False


CASES = {
    "gpt2-128": Case("gpt2", 128),
    "gpt2-128 whole": Case("gpt2", 128, whole=True),
    "gpt2-128 lora": Case("gpt2", 128, lora=True),
    "gpt2-128 alike": Case("gpt2", 128, alike=True),
    "gpt2-512": Case("gpt2", 512),
    "llama-128": Case("llama", 128),
    "llama-128 alike": Case("llama", 128, alike=True),
    "llama-128 lora": Case("llama", 128, lora=True),
    "llama-512": Case("llama", 512),
    "gpt_neox-128": Case("gpt_neox", 128),
}


def processor() -> float:
    """Seconds of this process and of those it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(case: Case, steps: int) -> dict[str, Any]:
    """Microseconds a token, as written and compiled, and what compiling took."""
    import numpy as np
    import torch
    from torch import Tensor, nn

    from ppoc.runtime import rlhf

    torch.set_num_threads(1)
    lm: Any = rlhf.new_model(
        case.architecture,
        layers=2,
        heads=max(4, case.hidden // 64),
        hidden_size=case.hidden,
        context=CONTEXT,
        vocabulary=258,
        dropout=0.0,
        seed=1,
    )
    if case.lora:
        lm = rlhf.add_lora(lm, rank=8, alpha=16.0, dropout=0.0, targets=None, seed=1)
    optimizer = rlhf.adamw([(lm.parameters(), 1e-4)])
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    rng = np.random.default_rng(1)

    def batch() -> tuple[Tensor, Tensor]:
        width = int(rng.integers(40, CONTEXT))
        tokens = rng.integers(0, 256, (BATCH, width))
        if case.alike:
            tokens[1::2, : width * 2 // 3] = tokens[::2, : width * 2 // 3]
        lengths = rng.integers(width - 8, width + 1, (BATCH, 1))
        position = np.arange(width)
        mask = (position >= lengths // 2) & (position < lengths)
        return torch.from_numpy(tokens), torch.from_numpy(mask)

    def step(tokens: Tensor, mask: Tensor) -> float:
        """Microseconds of the processor for each token."""
        begun = time.process_time()
        states = rlhf.hidden_states(lm.base_model, tokens[:, :-1], mask[:, 1:])
        logits = lm.get_output_embeddings()(states)
        loss = nn.functional.cross_entropy(logits, tokens[mask])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return (time.process_time() - begun) * 1e6 / tokens.numel()

    for _ in range(3):
        step(*batch())
    said: list[str] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, wall = processor(), time.perf_counter()
    switched = compile_whole(lm) if case.whole else compile_blocks(lm, case.alike, said)
    switched(True)
    step(*batch())
    seconds, wall = processor() - start, time.perf_counter() - wall
    if len(said) > 1:
        raise RuntimeError(said[-1])
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(steps):
        texts = batch()
        for compiled in (False, True):
            switched(compiled)
            times[compiled].append(step(*texts))
    eager, fast = (statistics.median(times[compiled]) for compiled in (False, True))
    ratio = statistics.median(b / a for a, b in zip(times[False], times[True], strict=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    return {
        "eager": eager,
        "compiled": fast,
        "saved": 1 - ratio,  # of a batch, in the middle
        "seconds": seconds,
        "wall": wall,
        "memory_mib": memory,
    }


def compile_blocks(lm: Any, alike: bool, said: list[str]) -> Any:
    """As ppoc does it; what switches between both forms."""
    from torch import nn

    from ppoc.runtime import rlhf

    blocks: Any = next(m for m in lm.base_model.children() if isinstance(m, nn.ModuleList))
    rlhf.compile_blocks(lm.base_model, said.append, alike=alike)
    forms = [(block, block.__dict__.get("forward")) for block in blocks]

    def switch(compiled: bool) -> None:
        for block, forward in forms:
            if compiled:
                block.forward = forward
            else:
                block.__dict__.pop("forward", None)

    return switch


def compile_whole(lm: Any) -> Any:
    """The whole trunk as one; what switches between both forms."""
    import torch

    from ppoc.runtime.rlhf.compiled import BLOCK_OPTIONS

    trunk = lm.base_model
    forward = torch.compile(trunk.forward, dynamic=True, options=BLOCK_OPTIONS)

    def switch(compiled: bool) -> None:
        if compiled:
            trunk.forward = forward
        else:
            trunk.__dict__.pop("forward", None)

    return switch


def run_one(name: str, steps: int) -> dict[str, Any]:
    """A case in a process of its own, with one compiler at a time and nothing kept."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "PPOC_CACHE": cache,
            "TORCHINDUCTOR_CACHE_DIR": cache,
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
        }
        command = [sys.executable, __file__, "--one", name, "--steps", str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def table(rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| model | µs a token as written | compiled | saved | compiling, CPU seconds | MiB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in (name for name in CASES if name in rows):
        row = rows[name]
        lines.append(
            f"| {name} | {row['eager']:.1f} | {row['compiled']:.1f} | {row['saved']:.0%} "
            f"| {row['seconds']:.0f} | {row['memory_mib']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(CASES[arguments.one], arguments.steps)))
        return
    path = RESULTS / "compiled_blocks.json"
    rows: dict[str, Any] = json.loads(path.read_text())["rows"] if path.exists() else {}
    record = {
        "command": "python benchmarks/compiled_blocks.py",
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {name: version(name) for name in ("ppoc", "torch", "transformers")},
        "rows": rows,
    }
    for name in arguments.model:
        rows[name] = run_one(name, arguments.steps)
        print(f"{name}: {rows[name]}", file=sys.stderr, flush=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
        written = RESULTS / "compiled_blocks.md"
        about = written.read_text().partition("\n## ")[2] if written.exists() else ""
        note = f"`{record['command']}` on {record['machine']}, one thread; medians."
        text = f"{note}\n\n{table(rows)}\n" + (f"\n## {about}" if about else "")
        written.write_text(text)
    print(table(rows))


if __name__ == "__main__":
    main()
