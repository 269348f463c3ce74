"""From a resolved spec of an agent to its program."""

from collections.abc import Iterator
from importlib.metadata import version

from ppoc.compiler.agent.constants import constants
from ppoc.compiler.agent.emit import emit
from ppoc.compiler.agent.env.custom import custom_body
from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.env.probe import READS, probe, versions
from ppoc.compiler.agent.features import features_of
from ppoc.compiler.agent.last_iteration import length_in_words
from ppoc.compiler.agent.passes import run_passes
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.emission.constants import settings
from ppoc.compiler.emission.features import feature_names, listed
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError, ordered
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.rules import Phase


def compile_agent(resolved: ResolvedAgent, *, trust: bool = False) -> Program:
    """Probe the environment of a resolved spec, plan, and emit.

    With `trust`, code that the spec names is imported.

    Raises:
        SpecError: the environment is unknown, cannot be made, or has spaces ppoc cannot handle.
    """
    facts = probe(resolved, trust=trust)
    plan = run_passes(plan_for(resolved, facts))
    advice = [
        *resolved.findings(Phase.PROBED, facts),
        *resolved.findings(Phase.DECIDED, plan.decisions),
    ]
    values = plan.spec.model_dump(mode="json", by_alias=True, exclude={"lock"})
    values["env"]["backend"] = plan.facts.backend
    features = features_of(plan)
    components = plan.facts.action_size if plan.facts.action_kind == "continuous" else 0
    return Program(
        emit(plan),
        values,
        {name: version(name) for name in ("ppoc", "torch", "numpy")} | versions(plan.facts.backend),
        ordered(advice),
        plan.decisions,
        frozenset({("env", "backend")} if resolved.spec.env.backend == "auto" else ()),
        code_folders=plan.facts.code_folders,
        length=length_in_words(plan.spec),
        features=feature_names(features),
        settings=settings(constants(plan), listed(features, "settings")),
        facts={"total_steps": {"train": plan.total_steps}, "action_components": components},
        plan=plan,
    )


def plan_for(resolved: ResolvedAgent, facts: EnvFacts) -> Plan:
    """The plan of a spec in its environment, before any pass.

    Raises:
        SpecError: the spec does not fit the environment.
    """
    networks = {"actor": resolved.spec.networks.actor, "critic": resolved.spec.networks.critic}
    custom = {
        name: custom_body(resolved, name, facts.shape, facts.code_folders)
        for name, network in networks.items()
        if network is not None and network.code is not None
    }
    plan = Plan(resolved.spec, facts, custom)
    if found := resolved.findings(Phase.PLANNED, plan):
        raise SpecError(found)
    return plan


def environment_problems(
    resolved: ResolvedAgent, *, right: bool, trust: bool
) -> Iterator[Diagnostic]:
    """Problems of a spec that its environment shows; all of them where the rest of it is right."""
    if resolved.lacks(READS):
        return
    try:
        facts = probe(resolved, choose_backend=False, trust=trust)
        if right:
            plan_for(resolved, facts)
    except SpecError as error:
        yield from error.diagnostics
        return
    if right:
        yield from resolved.findings(Phase.PROBED, facts)
