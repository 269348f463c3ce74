"""`ppoc eval`: how good is a trained agent?"""

from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, import_module
from ppoc.cli.options import RunFolder, Trust


def eval(
    folder: RunFolder,
    episodes: Annotated[
        int | None,
        typer.Option("--episodes", "-n", min=1, help="Episodes.", show_default="as the spec says"),
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
) -> None:
    """Evaluate the newest checkpoint of a run: mean, std, and interquartile mean (IQM).

    The interval of the IQM is a 95% percentile bootstrap over episodes. Observation statistics are
    the checkpoint's own, so evaluation sees what training saw.
    """
    from ppoc.runtime.checkpoint import CheckpointError
    from ppoc.runtime.envs import EnvironmentFailure
    from ppoc.runtime.launch import evaluate_run, load_run_policy
    from ppoc.runtime.run import RunError, describe
    from ppoc.runtime.video import VideoError, record

    module = import_module(folder, modified=modified, trust=trust)
    try:
        summary = evaluate_run(
            module, folder, episodes=episodes, deterministic=deterministic, seed=seed
        )
        if json:
            import json as encoder

            print(encoder.dumps(summary._asdict()))
        else:
            print(describe(summary))
        if video is not None:
            policy = load_run_policy(module, folder, deterministic=deterministic, seed=seed)
            first = module.SEED if seed is None else seed
            limit = getattr(module, "MAX_EPISODE_STEPS", None)
            options = getattr(module, "ENV_OPTIONS", None)
            path = record(
                module.ENV_ID,
                policy,
                video,
                seed=first,
                max_episode_steps=limit,
                options=options,
            )
            print(path)
    except (RunError, CheckpointError, EnvironmentFailure, VideoError) as error:
        terminal.fail(terminal.RUN_FAILED, str(error))
