"""The choice of the stages of `kind: rlhf` that compile the blocks of their model, and why."""

from ppoc.compiler.emission.compiling import compile_settled, if_possible
from ppoc.compiler.front.program import Decision
from ppoc.compiler.rlhf.constants import iterations
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.language.values import Stage
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.sizes import Sizes, parameters

COMPILED, EAGER = "compiled", "eager"
# Measured on one CPU core with torch 2.13 (benchmarks/compiled_blocks.py).
SECONDS_TO_COMPILE = 30.0
SECONDS_TO_COMPILE_LORA = 60.0  # 40 of gpt2; the first block is compiled for itself
OPERATIONS_A_SECOND = 4e10  # of a gradient step: 6 for each weight of a block and token
# The share of a gradient step that compiling saves, by the width of hidden states from which on it
# is that; measured at 128 and 512. A wider model does more in products of matrices, which stay.
SAVED = {
    "gpt2": {0: 0.04},
    "gpt_neox": {0: 0.03},
    "llama": {0: 0.12, 256: 0.06},
}
SAVED_LORA = {"gpt2": {0: 0.17, 256: 0.0}, "llama": {0: 0.17, 256: 0.06}}  # measured at 128
LEAST_SAVED = 0.05  # less is within what machines differ by


def choose_compiling(spec: RlhfSpec, facts: RlhfFacts) -> dict[Stage, Decision]:
    """Decide for each stage whether it compiles the blocks of its model, and say why."""
    found = {}
    for stage in spec.stages:
        compiled, reason, lacks = _worth(spec, facts, stage)
        choice = COMPILED if compiled else EAGER
        found[stage] = Decision(f"blocks of {stage}", choice, reason, lacks)
    return found


def _worth(spec: RlhfSpec, facts: RlhfFacts, stage: Stage) -> tuple[bool, str, bool]:
    settled = compile_settled(spec.training.compile)
    if settled is not None:
        return *settled, False
    return if_possible(*_weighed(spec, facts, stage))


def _weighed(spec: RlhfSpec, facts: RlhfFacts, stage: Stage) -> tuple[bool, str]:
    if spec.training.device == "cuda":
        return False, "what it gains was measured on the CPU only; `training.compile: always` asks"
    if facts.sizes is None:
        return False, "the sizes of the model are not known here"
    saved = _saved(spec, facts.sizes)
    if saved < LEAST_SAVED:
        width = f"{facts.sizes.architecture} with a width of {facts.sizes.hidden_size}"
        return False, f"it saves {saved:.0%} of a gradient step of {width}"
    seconds = _seconds(spec, facts, facts.sizes, stage)
    cost = SECONDS_TO_COMPILE if spec.model.lora is None else SECONDS_TO_COMPILE_LORA
    reason = (
        f"about {seconds:,.0f} s of gradient steps become {saved:.0%} shorter, "
        f"and compiling takes about {cost:.0f} s the first time"
    )
    return seconds * saved > cost, reason


def _saved(spec: RlhfSpec, sizes: Sizes) -> float:
    """The share of a gradient step; 0 of an architecture that was not measured."""
    saved = SAVED if spec.model.lora is None else SAVED | SAVED_LORA
    known = saved.get(sizes.architecture, {0: 0.0})
    return known[max(width for width in known if width <= sizes.hidden_size)]


def _seconds(spec: RlhfSpec, facts: RlhfFacts, sizes: Sizes, stage: Stage) -> float:
    """Estimated seconds of all gradient steps of a stage: texts count as half of their limit."""
    embeddings = sizes.vocabulary * sizes.hidden_size * (1 if sizes.tied else 2)
    of_blocks = parameters(sizes) - embeddings
    prompt, response = spec.data.max_prompt_tokens, spec.data.max_response_tokens
    if stage == "sft":
        examples = facts.files["demonstrations"].examples
        texts, length = spec.sft.epochs * examples, prompt + response
    elif stage == "reward":
        examples = facts.files["preferences"].examples
        texts, length = spec.reward.epochs * examples, prompt + 2 * response
    else:
        texts = spec.ppo.epochs * iterations(spec) * spec.ppo.rollout_size
        texts *= 2 if spec.ppo.value == "separate" else 1
        length = prompt + spec.ppo.generation.max_new_tokens
    return texts * length / 2 * 6 * of_blocks / OPERATIONS_A_SECOND
