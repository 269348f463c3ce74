"""The policy that PPO leaves, beside the one it started from, on prompts that no stage has seen."""

import functools
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ppoc.formats.reading import FormatError
from ppoc.formats.text import escaped
from ppoc.runtime.declared import language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.interface import LanguageModelInterface
from ppoc.runtime.rlhf.generation import generate
from ppoc.runtime.rlhf.learning import by_rows, prompts
from ppoc.runtime.rlhf.stage import load_tokenizer
from ppoc.runtime.rlhf.tokenizers import Tokenizer
from ppoc.runtime.rlhf.tokens import Limits, pad, rows
from ppoc.runtime.run.device import choose_device
from ppoc.runtime.run.numbers import is_number, numbers

RESAMPLES = 2000
SHOWN = 4  # prompts of which answers are kept to be read


class Side(NamedTuple):
    """How one of the two policies answers."""

    score: float  # mean of the reward model's, as PPO sees it
    length: float  # mean tokens of a response
    ended: float  # share of responses that end by themselves


class Example(NamedTuple):
    """Answers of both policies to a prompt, with their scores."""

    prompt: str
    before: str
    after: str
    before_score: float
    after_score: float


class Comparison(NamedTuple):
    """Before and after PPO.

    The intervals are 95% percentile bootstraps over prompts. A win is a higher score than that of
    the other policy's answer to the same prompt; equal scores are half a win.
    """

    prompts: int
    samples: int  # answers to each prompt
    before: Side
    after: Side
    gain: float  # of the mean score
    gain_low: float
    gain_high: float
    win_rate: float
    win_low: float
    win_high: float
    kl: float  # of a response's distribution to the reference's, in nats
    kl_error: float  # its standard error
    examples: list[Example]

    def document(self) -> dict[str, Any]:
        """The comparison as JSON has it."""
        return self._asdict() | {
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "examples": [example._asdict() for example in self.examples],
        }


def comparison_of(document: Any) -> Comparison:
    """The comparison of a document that anybody may have made.

    Raises:
        FormatError: it is none.
    """
    names = [name for name in Comparison._fields if name not in ("before", "after", "examples")]
    if not isinstance(document, dict) or set(document) != set(Comparison._fields):
        raise FormatError("its comparison is not of the policies before and after")
    found: Any = numbers(
        {name: document[name] for name in names}, names, ("prompts", "samples"), "its comparison"
    )
    sides: Any = [
        numbers(document[side], Side._fields, (), f"{side} in its comparison")
        for side in ("before", "after")
    ]
    examples = document["examples"]
    if not isinstance(examples, list) or not all(map(_is_example, examples)):
        raise FormatError("its comparison has examples that are none")
    before, after = (Side(**side) for side in sides)
    shown = [Example(**row) for row in examples]
    return Comparison(**found, before=before, after=after, examples=shown)


def _is_example(row: Any) -> bool:
    texts, scores = ("prompt", "before", "after"), ("before_score", "after_score")
    return (
        isinstance(row, dict)
        and set(row) == {*texts, *scores}
        and all(isinstance(row[name], str) for name in texts)
        and all(is_number(row[name]) for name in scores)
    )


class Answers(NamedTuple):
    """Responses [P·S] to prompts, those to one prompt after another, and their scores."""

    responses: list[list[int]]
    scores: NDArray[np.float64]


def compare(
    module: ModuleType,
    root: Path,
    *,
    device: str | None = None,
    count: int | None = None,
    samples: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> Comparison:
    """Compare the newest policy of a run with its reference; what is not given is the spec's.

    Raises:
        RunError: a stage has no checkpoint yet, or there is no such device.
        CheckpointError: a checkpoint is damaged.
        DataError: the prompts cannot be read.
    """
    own = language_model_of(module)
    if own.evaluation is None or own.generation is None:
        raise RunError(f"{root} has no stage ppo, which would leave a policy to compare")
    place, most = choose_device(device or own.device), own.generation.max_new_tokens
    tokenizer = load_tokenizer(root)
    asked = _held_out(own, tokenizer)[: count or own.evaluation.prompts]
    samples = samples or own.evaluation.samples
    temperature = own.evaluation.temperature if temperature is None else temperature
    repeated = [prompt for prompt in asked for _ in range(samples)]
    score = module.load_score(root, tokenizer, place)
    rng = np.random.default_rng((own.seed if seed is None else seed, 0xC0))
    sides, policies = [], []
    for stage in (own.model.reference, "ppo"):
        lm = own.model.load_policy(root, stage, tokenizer).to(place).eval()
        noise = rng.random((len(repeated), most), np.float32)
        responses = generate(
            lm,
            repeated,
            end=tokenizer.end,
            max_new_tokens=most,
            noise=noise if temperature > 0 else None,
            temperature=temperature or 1.0,
        )
        sides.append(Answers(responses, score(repeated, responses).double().cpu().numpy()))
        policies.append(lm)
    kl = _kl(module, policies, repeated, sides[1].responses, tokenizer, place)
    return _summary(tokenizer, asked, samples, sides, kl)


def _held_out(own: LanguageModelInterface, tokenizer: Tokenizer) -> list[list[int]]:
    """Held-out prompts, or, where none are held out, all."""
    data = own.data
    file, limits = data.folder / data.prompts, Limits(*data.limits)
    learn, kept = prompts(file, tokenizer, limits, data.held_out, own.seed)
    return kept or learn


def _kl(
    module: ModuleType,
    policies: list[Any],
    asked: list[list[int]],
    responses: list[list[int]],
    tokenizer: Tokenizer,
    device: torch.device,
) -> NDArray[np.float64]:
    """log π(response) − log π_ref(response), [N], whose mean over responses of π is their KL."""
    texts = rows(list(zip(asked, responses, strict=True)))
    tokens, mask, _ = pad(texts, np.arange(len(texts)), tokenizer.pad).to(device)
    reference, policy = (
        by_rows(functools.partial(module.token_log_probs, lm), tokens, mask, module.MINIBATCH_SIZE)[
            0
        ]
        for lm in policies
    )
    found: NDArray[np.float64] = (policy - reference).double().sum(1).cpu().numpy()
    return found


def _summary(
    tokenizer: Tokenizer,
    asked: list[list[int]],
    samples: int,
    sides: list[Answers],
    kl: NDArray[np.float64],
) -> Comparison:
    before, after = (answers.scores.reshape(len(asked), samples) for answers in sides)
    wins = (after > before) + 0.5 * (after == before)
    gain, win = (after - before).mean(1), wins.mean(1)
    gain_low, gain_high = _interval(gain)
    win_low, win_high = _interval(win)
    examples = [
        Example(
            tokenizer.text(prompt),
            before=tokenizer.text(sides[0].responses[i * samples]),
            after=tokenizer.text(sides[1].responses[i * samples]),
            before_score=float(sides[0].scores[i * samples]),
            after_score=float(sides[1].scores[i * samples]),
        )
        for i, prompt in enumerate(asked[:SHOWN])
    ]
    return Comparison(
        prompts=len(asked),
        samples=samples,
        before=_side(sides[0], tokenizer.end),
        after=_side(sides[1], tokenizer.end),
        gain=float(gain.mean()),
        gain_low=gain_low,
        gain_high=gain_high,
        win_rate=float(win.mean()),
        win_low=win_low,
        win_high=win_high,
        kl=float(kl.mean()),
        kl_error=float(kl.std() / len(kl) ** 0.5),
        examples=examples,
    )


def _side(answers: Answers, end: int) -> Side:
    return Side(
        float(answers.scores.mean()),
        float(np.mean([len(response) for response in answers.responses])),
        float(np.mean([response[-1] == end for response in answers.responses])),
    )


def _interval(of_prompts: NDArray[np.float64]) -> tuple[float, float]:
    """A 95% percentile bootstrap of the mean."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(of_prompts), size=(RESAMPLES, len(of_prompts)))
    low, high = np.percentile(of_prompts[chosen].mean(1), [2.5, 97.5])
    return float(low), float(high)


def table(found: Comparison) -> str:
    """A comparison for people, in lines."""
    before, after = found.before, found.after
    lines = [
        f"{found.prompts} held-out prompts, {found.samples} answers each",
        f"{'':22}{'supervised':>12}{'after PPO':>12}",
        f"{'score':22}{before.score:12.3f}{after.score:12.3f}",
        f"{'tokens of an answer':22}{before.length:12.1f}{after.length:12.1f}",
        f"{'ended by themselves':22}{before.ended:12.1%}{after.ended:12.1%}",
        f"gain {found.gain:.3f} [{found.gain_low:.3f}, {found.gain_high:.3f}], "
        f"win rate {found.win_rate:.1%} [{found.win_low:.1%}, {found.win_high:.1%}], "
        f"KL {found.kl:.2f} ± {found.kl_error:.2f} nats an answer",
    ]
    for example in found.examples:
        lines += [
            "",
            f"prompt       {_one_line(example.prompt)}",
            f"supervised   {_one_line(example.before)}  ({example.before_score:+.2f})",
            f"after PPO    {_one_line(example.after)}  ({example.after_score:+.2f})",
        ]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    """Text that can neither break the lines around it nor speak to the terminal."""
    return escaped(text).replace("\n", "\\n").strip()
