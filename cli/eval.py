"""`ppoc eval`: how good is a trained agent?"""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, import_module, is_language_model
from ppoc.cli.options import Debug, RunFolder, Trust


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
    from ppoc.runtime.failures import RunError, explained
    from ppoc.runtime.launch import evaluate_run, film_run
    from ppoc.runtime.run import describe

    if json:
        terminal.only_results()
    module = import_module(folder, modified=modified, trust=trust)
    try:
        if is_language_model(module):
            if video is not None:
                terminal.fail(terminal.MISUSE, "there is no video of a language model")
            _compare(module, folder, episodes, deterministic, seed, json)
            return
        with explained(folder, "the evaluation"):
            summary = evaluate_run(
                module, folder, episodes=episodes, deterministic=deterministic, seed=seed
            )
        terminal.put(
            terminal.as_json(summary._asdict(), indent=None) if json else describe(summary)
        )
        if video is not None:
            with explained(folder, "the video"):
                path = film_run(
                    module,
                    folder,
                    video,
                    deterministic=deterministic,
                    seed=seed,
                    message=terminal.say,
                )
            (terminal.say if json else terminal.put)(str(path))
    except RunError as error:
        terminal.fail_by(error, debug=debug)


def _compare(
    module: ModuleType,
    folder: Path,
    prompts: int | None,
    deterministic: bool | None,
    seed: int | None,
    json: bool,
) -> None:
    """Print how a language model answers, beside the one it was before PPO."""
    from ppoc.runtime.failures import explained
    from ppoc.runtime.rlhf.comparison import compare, table
    from ppoc.runtime.rlhf.evaluation import evaluate
    from ppoc.runtime.rlhf.launch import require

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
