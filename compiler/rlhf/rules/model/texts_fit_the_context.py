"""E405: texts that do not fit the context of the model."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.pretrained import READS
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule(
    "E405",
    "data.max_prompt_tokens",
    "data.max_response_tokens",
    "model.config.context",
    "ppo.generation.max_new_tokens",
    "stages",
)
def texts_fit_the_context(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """Prompt and response together are as long as the model can read."""
    config = resolved.spec.model.config
    if config is not None:
        yield from _lengths_within(resolved, config.context)


@rule(
    "E405",
    "data.max_prompt_tokens",
    "data.max_response_tokens",
    "ppo.generation.max_new_tokens",
    "stages",
    *READS,
    phase=Phase.PROBED,
)
def texts_fit_the_models_context(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    """Prompt and response are as long as a model in a folder can read."""
    if resolved.spec.model.id is not None and facts.sizes is not None and facts.sizes.context:
        yield from _lengths_within(resolved, facts.sizes.context)


def _lengths_within(resolved: RlhfResolved, context: int) -> Iterator[Diagnostic]:
    """Texts that a model of a context of so many tokens cannot read."""
    spec = resolved.spec
    prompt = spec.data.max_prompt_tokens
    for stage, path, length in (
        ("sft", ("data", "max_response_tokens"), spec.data.max_response_tokens),
        ("ppo", ("ppo", "generation", "max_new_tokens"), spec.ppo.generation.max_new_tokens),
    ):
        if stage not in spec.stages and not (stage == "sft" and "reward" in spec.stages):
            continue
        if prompt + length > context:
            yield resolved.diagnostic(
                "E405",
                resolved.first_explicit(
                    path, ("data", "max_prompt_tokens"), ("model", "config", "context")
                ),
                f"prompts of {prompt} and responses of {length} tokens do not fit {context}",
                why=f"the model reads {context} tokens, prompt and response together",
                help=f"lower `{'.'.join(path)}`, or `data.max_prompt_tokens`, by "
                f"{prompt + length - context}",
            )
