"""`ppoc eval`: how good is a trained agent?"""

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, import_module, is_language_model
from ppoc.cli.options import Debug, RunFolder, Trust

KEYS = (("episodes",), ("deterministic",), ("max_steps",), ("num_envs",))
EvaluationOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="evaluation.KEY=VALUE",
        help="Replace a value of the spec's `evaluation` for this one.",
        show_default=False,
    ),
]


def eval(
    folder: RunFolder,
    episodes: Annotated[
        int | None,
        typer.Option(
            "--episodes",
            "-n",
            min=1,
            help="Episodes; of a language model, held-out prompts.",
            show_default="as the spec says",
        ),
    ] = None,
    deterministic: Annotated[
        bool | None,
        typer.Option(
            "--deterministic/--sampled",
            help="Take the policy's mode, or sample from it.",
            show_default="as the spec says",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the environments.")] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps after which an episode is cut, that of a video too.",
            show_default="as the spec says",
        ),
    ] = None,
    overrides: EvaluationOverrides = None,
    video: Annotated[
        Path | None, typer.Option(help="Also record an episode to this mp4.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    trust: Trust = False,
    modified: Modified = False,
    debug: Debug = False,
) -> None:
    """Evaluate the newest checkpoint of a run: mean, std, and interquartile mean (IQM).

    A language model is compared with the one that PPO started from, on held-out prompts.

    The interval of the IQM is a 95% percentile bootstrap over episodes. Observation statistics are
    the checkpoint's own, so evaluation sees what training saw.
    """
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.evaluation.evaluate import describe
    from ppoc.runtime.run.failures import explained
    from ppoc.runtime.run.launch import evaluate_run, film_run

    if json:
        terminal.only_results()
    module = import_module(folder, modified=modified, trust=trust)
    given = {"episodes": episodes, "deterministic": deterministic, "max_steps": max_steps}
    try:
        if is_language_model(module):
            if video is not None or max_steps is not None or overrides:
                text = "--video, --max-steps and -s are for agents, and this is a language model"
                terminal.fail(terminal.MISUSE, text)
            _compare(module, folder, episodes, deterministic, seed, json)
            return
        terms = {
            **_set(folder, overrides or []),
            **{k: x for k, x in given.items() if x is not None},
        }
        with explained(folder, "the evaluation"):
            summary = evaluate_run(module, folder, seed=seed, **terms)
        terminal.put(
            terminal.as_json(summary._asdict(), indent=None) if json else describe(summary)
        )
        if video is not None:
            with explained(folder, "the video"):
                path = film_run(
                    module,
                    folder,
                    video,
                    deterministic=terms.get("deterministic"),
                    seed=seed,
                    max_steps=terms.get("max_steps"),
                    message=terminal.say,
                )
            (terminal.say if json else terminal.put)(str(path))
    except RunError as error:
        terminal.fail_by(error, debug=debug)


def _set(folder: Path, overrides: list[str]) -> dict[str, Any]:
    """The values that overrides of the section `evaluation` set, checked as those of a spec."""
    from ppoc.compiler.agent.resolved import as_agent
    from ppoc.compiler.front.merge import override
    from ppoc.compiler.output.build import LOCK
    from ppoc.compiler.resolve import resolve

    if not overrides:
        return {}
    paths = [path for flag in overrides for path, _ in override(flag).leaves()]
    if other := [path for path in paths if path[:1] != ("evaluation",) or path[1:] not in KEYS]:
        known = ", ".join(f"evaluation.{key}" for (key,) in KEYS)
        text = f"`{'.'.join(other[0])}` cannot be set for an evaluation; {known} can"
        terminal.fail(terminal.MISUSE, text)
    evaluation = as_agent(resolve(folder / LOCK, overrides)).spec.evaluation
    values = {path[1]: getattr(evaluation, path[1]) for path in paths}
    if values.get("episodes") == 0:
        terminal.fail(terminal.MISUSE, "an evaluation of 0 episodes says nothing")
    return {key: value for key, value in values.items() if value is not None}


def _compare(
    module: ModuleType,
    folder: Path,
    prompts: int | None,
    deterministic: bool | None,
    seed: int | None,
    json: bool,
) -> None:
    """Print how a language model answers, beside the one it was before PPO."""
    from ppoc.runtime.rlhf.comparison import compare, table
    from ppoc.runtime.rlhf.evaluation import evaluate
    from ppoc.runtime.rlhf.launch import require
    from ppoc.runtime.run.failures import explained

    require(module)
    if "ppo" in module.STAGES:
        temperature = {None: None, True: 0.0, False: module.TEMPERATURE}[deterministic]
        with explained(folder, "the evaluation"):
            found = compare(module, folder, count=prompts, temperature=temperature, seed=seed)
        document, text = found.document(), table(found)
    else:
        with explained(folder, "the evaluation"):
            document = evaluate(module, folder)
        text = "\n".join(
            f"{stage}, held out: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items())
            for stage, row in document.items()
        )
    terminal.put(terminal.as_json(document, indent=None) if json else text)
