"""A training run: its folder, its device, what it logs and saves, and how it stops."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, Self, cast

from numpy.typing import NDArray
from torch import Tensor

from ppoc.formats.files import remove_parts
from ppoc.runtime.declared import agent_of
from ppoc.runtime.envs.replay import ActionReplayEnv, resumed
from ppoc.runtime.envs.vector import Floats, VectorEnv
from ppoc.runtime.evaluation.evaluate import (
    Policy,
    Terms,
    Where,
    beside_training,
    describe,
    evaluate_policy,
)
from ppoc.runtime.health import divergence
from ppoc.runtime.health.divergence import DivergenceError, UpdateLog
from ppoc.runtime.health.monitor import Monitor, Watch, agent_monitor, append
from ppoc.runtime.health.settings import Facts, facts_of
from ppoc.runtime.learning.compiled import Function, compile_step
from ppoc.runtime.records import evaluations
from ppoc.runtime.records.metrics import MetricsWriter
from ppoc.runtime.run.device import choose_device
from ppoc.runtime.run.layout import Groups
from ppoc.runtime.run.lock import exclusive
from ppoc.runtime.run.progress import Mode, progress
from ppoc.runtime.run.saving import Saving, State, Stateful
from ppoc.runtime.run.signals import StopSignals
from ppoc.runtime.run.surroundings import surroundings, warning


class Run:
    """Services of the world outside that a generated module's `train` needs.

    Attributes:
        folder: where everything the run leaves behind lies.
        device: where parameters and batches lie.
        rollbacks: how often the run went back to a checkpoint because it diverged.
    """

    unit = "steps"
    stage: str | None = None  # where a run has several
    limits: Mapping[str, float] = divergence.LIMITS  # of metrics, beyond which it has diverged

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        resume: bool = False,
        mode: Mode = "auto",
        module: ModuleType | None = None,
        rollbacks: int | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        """Open a run folder, which must exist; see `execute` for the whole of a run.

        A run that was stopped before its first checkpoint is resumed from its beginning.

        Args:
            module: whose checkpoint it must be that the run goes on from, and whose settings say
                what is healthy for it.
            rollbacks: how often the run has gone back to a checkpoint, this time included; None:
                as the checkpoint says.
            monitor: what is unhealthy for it; None: what is for an agent of that module.

        Raises:
            RunError: another run holds the folder, the checkpoint cannot be read, or the device is
                not there.
        """
        self.folder = folder
        self.device = choose_device(device)
        self.rollbacks = self._steps = 0
        self._saving = Saving(folder)
        self._signals = StopSignals(self.message)
        self._mode = mode
        self._display: Any = None
        self._messages: list[str] = []
        self._module = module
        self._update_logs: list[UpdateLog] = []
        self._opened: list[VectorEnv] = []
        own = agent_of(module) if module is not None else None
        self._terms = Terms.of(own)
        self._on_divergence = own.on_divergence if own else "stop"
        monitor = monitor or agent_monitor(facts_of(own) if own else Facts())
        self._watch = Watch(folder, monitor, self.message)
        self._surroundings_before: Any = None
        self._surroundings: dict[str, str] = {}
        with contextlib.ExitStack() as resources:
            resources.enter_context(exclusive(folder))
            remove_parts(folder)
            if resume:
                self._go_on(module, rollbacks)
                evaluations.drop_after(folder, self._steps)
                self._watch.resume(self._steps, self.rollbacks)
            resume_step = self._steps if resume else None
            self._metrics = MetricsWriter(folder, resume_step=resume_step, say=self.message)
            resources.callback(self._metrics.close)
            self._resources = resources.pop_all()

    def _go_on(self, module: ModuleType | None, rollbacks: int | None) -> None:
        before = self._saving.resume(module)
        if before is None:
            self.message("no checkpoint was saved yet: the run starts from its beginning")
        else:
            self._steps, self.rollbacks, self._surroundings_before = before
        if rollbacks is not None:
            self.rollbacks = rollbacks

    def __enter__(self) -> Self:
        self._resources.enter_context(self._signals.handled())
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            error.add_note(f"{self.unit} of the run before: {self._steps:,}")
        try:
            for envs in self._opened:
                # The error that ended the run is the one its owner is to hear of.
                with contextlib.suppress(*([] if error is None else [Exception])):
                    envs.close()
        finally:
            self._resources.close()

    @property
    def checkpoint(self) -> Groups | None:
        """The groups of tensors to resume from; None at the start of a run."""
        return self._saving.checkpoint

    @property
    def last_saved(self) -> Path | None:
        """The last good checkpoint."""
        return self._saving.last_saved

    @property
    def stopped(self) -> bool:
        """Whether a signal asked the run to stop before its end."""
        return self._signals.requested

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return self._steps

    def iterations(self, count: int, steps_each: int, total: int | None = None) -> Iterator[int]:
        """Yield iteration numbers up to `count`, from where the checkpoint left off.

        Args:
            total: steps of all, where the last iteration has fewer than the others.

        SIGINT, SIGTERM or SIGHUP lets the iteration under way finish and save; a second one does
        not.
        """
        self._count = count
        self._last_time = time.perf_counter()
        screen = self._resources.enter_context(contextlib.ExitStack())
        self._surroundings = surroundings(self.device)  # once the module has set them up
        if changed := warning(self._surroundings_before, self._surroundings):
            self.message(changed)
        self._total = total or count * steps_each
        display = progress(self._mode, self._total, self._steps, unit=self.unit, stage=self.stage)
        self._display = screen.enter_context(display)
        for text in self._messages:
            self._display.message(text)
        self._signals.graceful = True
        for iteration in range(-(-self._steps // steps_each), count):
            yield iteration
            for log in self._update_logs:
                log.forget()
            if self._signals.requested and self._saving.steps == self._steps:
                break
        self._signals.graceful = False
        screen.close()

    def message(self, text: str, health: Mapping[str, Any] | None = None) -> None:
        """Say something beside the progress display; of a finding, `health` has all there is."""
        if self._display is None:
            self._messages.append(text)
        else:
            self._display.message(text, health)

    def replay(self, envs: ActionReplayEnv) -> Floats | None:
        """Bring environments back to where a stopped run had them; the observations they end at.

        None where new episodes are to begin: at a start, where they were to begin anyway, and where
        the environments, run again, do not end where they were.
        """
        kept = self.checkpoint.get("replay") if self.checkpoint else None
        return None if kept is None else resumed(envs, kept, self.message)

    def compile(self, update: Function, *, required: bool = False) -> Function:
        """A compiled form of `update`, as `compile_step` makes it."""
        return compile_step(update, self.message, required=required)

    def log_updates(self, step: Function) -> Function:
        """The update, or a compiled form of it, remembering an iteration's calls."""
        self._update_logs.append(UpdateLog(step))
        return cast(Function, self._update_logs[-1])

    def log(self, steps: int, metrics: Mapping[str, float], tokens: int | None = None) -> None:
        """Record the metrics of an iteration that ended at `steps` environment steps.

        Args:
            tokens: of text that a language model learnt from, without padding; in ppo those of
                answers. Its steps are updates, or answers.

        Raises:
            DivergenceError: a metric that learning depends on or a parameter is not finite, or the
                KL divergence has exploded. The update that did it is kept.
        """
        now = time.perf_counter()
        seconds = now - self._last_time
        rates = {f"{self.unit}_per_second": (steps - self._steps) / seconds}
        if tokens is not None:
            rates["tokens_per_second"] = tokens / seconds
        self._last_time, self._steps = now, steps
        self._metrics.write(steps, {**metrics, **rates})
        self._display.update(steps, metrics, tokens or 0)
        self._watch.check(steps, metrics)
        if self._on_divergence == "continue":
            return
        if (found := divergence.offence(metrics, self.limits)) is not None:
            self._diverge(steps, *found)
        for log in self._update_logs:
            if (value := log.lost) is not None:
                self._diverge(steps, "a parameter", value)

    def _diverge(self, steps: int, metric: str, value: float) -> NoReturn:
        """Keep the update that did it, and end the run, whether for good or to go back."""
        module, given = self._module, (self.folder, steps, metric, value)
        dumps = [log.dump(module, *given) for log in self._update_logs if module is not None]
        lead = f"{self.stage}: " if self.stage else ""
        text = f"{lead}{metric} became {value:.4g} at step {steps}"
        event = {"step": steps, "metric": metric, "text": text, "rollbacks": self.rollbacks}
        append(self.folder, "divergence", event)
        text += f"; {self._kept()}"
        if any(dumps):
            text += f"\nthe update is kept: `ppoc diagnose {self.folder} --replay` makes it again"
        raise DivergenceError(text, self._on_divergence == "rollback", self.rollbacks)

    def _kept(self) -> str:
        if self.last_saved is None:
            return "there is no checkpoint yet"
        return f"the last good checkpoint is {self.last_saved}"

    def opened(self, envs: VectorEnv) -> VectorEnv:
        """Environments that are closed when the run ends, in whatever way."""
        self._opened.append(envs)
        return envs

    def evaluate(self, steps: int, where: Where, policy: Policy, episodes: int, seed: int) -> None:
        """Play whole episodes; append their summary to evaluations.jsonl.

        After the last iteration it does nothing: the checkpoint is evaluated once training is over.

        Args:
            where: what makes environments for this, or those of training, to be shared.
        """
        if steps >= self._total:
            return
        terms = self._terms._replace(episodes=episodes)
        with beside_training(where):
            summary = evaluate_policy(where, policy, terms, seed)
        evaluations.append(self.folder, {"steps": steps, **summary._asdict()})
        self.message(f"evaluation at {steps:,} steps: {describe(summary)}")

    def owns(self, **things: Stateful | State) -> None:
        """Make things part of each checkpoint, as `Saving.owns` does."""
        self._saving.owns(**things)

    def checkpoint_due(self, iteration: int, every: int) -> bool:
        """Whether to save after this iteration: on schedule, at the end, and before stopping."""
        done = iteration + 1
        return done % every == 0 or done == self._count or self._signals.requested

    def save(self, steps: int, **groups: Mapping[str, Tensor | NDArray[Any]]) -> None:
        """Write a checkpoint of what the run owns, and of groups that are given, atomically.

        Raises:
            DivergenceError: one of them is not finite. Nothing is written: no run could go on from
                it, and those before it are kept for longer.
        """
        tensors = self._saving.tensors(groups)
        for name, tensor in tensors.items():
            if (value := divergence.not_finite(tensor)) is not None:
                self._diverge(steps, name, value)
        self._metrics.sync()  # what a checkpoint is resumed with is to be on the disk before it
        metadata: dict[str, Any] = {"steps": steps, "surroundings": self._surroundings}
        if self.rollbacks:
            metadata["rollbacks"] = self.rollbacks
        self._saving.write(steps, tensors, metadata)
