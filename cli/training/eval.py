"""`ppoc eval`: how good is a trained agent?"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, RunFolder
from ppoc.cli.options import Debug, RunPath, Trust

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
    path: RunPath,
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
    if json:
        terminal.only_results()
    folder = RunFolder.open(path, modified=modified, trust=trust)
    if video is not None:
        folder.only_for("control", "--video")
    if max_steps is not None:
        folder.only_for("control", "--max-steps")
    module = folder.module
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.run.failures import explained
    from ppoc.runtime.run.kind import Wanted
    from ppoc.runtime.run.trained import film_run

    kind = folder.kind
    values = _set(folder, overrides or [], kind.evaluation_keys)
    if max_steps is not None:
        values["max_steps"] = max_steps
    try:
        kind.prepare(module)
        with explained(path, "the evaluation"):
            found = kind.evaluate(module, path, Wanted(episodes, deterministic, seed, values))
        terminal.put(terminal.as_json(found.document, indent=None) if json else found.text)
        if video is not None:
            if deterministic is None:
                deterministic = values.get("deterministic")
            with explained(path, "the video"):
                film = film_run(
                    module,
                    path,
                    video,
                    deterministic=deterministic,
                    seed=seed,
                    max_steps=values.get("max_steps"),
                    message=terminal.say,
                )
            (terminal.say if json else terminal.put)(str(film))
    except RunError as error:
        terminal.fail_by(error, debug=debug)


def _set(folder: RunFolder, overrides: list[str], keys: Collection[str]) -> dict[str, Any]:
    """The values that overrides of the section `evaluation` set, checked as those of a spec."""
    from ppoc.compiler.front.merge import override

    if not overrides:
        return {}
    paths = [path for flag in overrides for path, _ in override(flag).leaves()]
    known = [("evaluation", key) for key in keys]
    if other := [path for path in paths if path not in known]:
        can = ", ".join(".".join(path) for path in known)
        text = f"`{'.'.join(other[0])}` cannot be set for an evaluation; {can} can"
        terminal.fail(terminal.MISUSE, text)
    evaluation: Any = vars(folder.resolve(overrides).spec)["evaluation"]
    values = {path[1]: getattr(evaluation, path[1]) for path in paths}
    if values.get("episodes") == 0:
        terminal.fail(terminal.MISUSE, "an evaluation of 0 episodes says nothing")
    return {key: value for key, value in values.items() if value is not None}
