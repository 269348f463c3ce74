"""Passes: named functions Plan → Plan, each of which makes one decision and says why."""

from collections.abc import Callable
from dataclasses import replace

from ppoc.compiler.agent.action_units import ill_fitting_bounds, is_bounded, units_of_bounds
from ppoc.compiler.agent.env.backends import tensor_problem
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.compiling import compile_settled, if_possible
from ppoc.compiler.front.program import Decision

# Measured on two CPU cores with two 64×64 networks (benchmarks/passes.py): what compiling takes the
# first time, and what a call gains: an update on a minibatch of 64, a Fisher product on 2,048.
SECONDS_TO_COMPILE = 8.0
SECONDS_GAINED = 0.5e-3
SECONDS_GAINED_PRODUCT = 6e-3
# Gain of a time step of the environments and their policy on the device, compiled, over the best
# way on the host: so much, and so much more for each environment.
SECONDS_GAINED_STEP = 40e-6
SECONDS_GAINED_ENVIRONMENT = 0.3e-6
# For each step that a memory is unrolled over, with an LSTM of 64 for actor and critic each and 8
# sequences of 32 (specs/ppo/cartpole-no-velocity.yaml): 40 s to compile, 13 ms against 2 ms.
SECONDS_TO_COMPILE_UNROLLED = 1.0
SECONDS_GAINED_UNROLLED = 0.3e-3
# For each multiply-add of a convolution: with the 2 billion of 256 images, an update of Nature's
# network takes 137 ms eager and 92 ms compiled.
SECONDS_GAINED_IMAGES = 2e-11


def choose_rollout(plan: Plan) -> Plan:
    """Keep rollouts on the device, environments and policy in one, where that is faster."""
    name, facts = "rollout", plan.facts
    problem = _device_problem(plan)
    if problem:
        return plan.decide(Decision(name, "on the host", problem))
    gain_each = SECONDS_GAINED_STEP + SECONDS_GAINED_ENVIRONMENT * plan.spec.env.num_envs
    steps = plan.num_iterations * plan.rollout_length
    compiled, reason, lacks = _worth_compiling(plan, steps, "time steps", gain_each)
    if plan.spec.training.device == "cuda":
        reason = f"training.device is cuda; {reason}"
    elif not compiled:
        return plan.decide(Decision(name, "on the host", reason, lacks))
    if plan.spec.env.backend not in ("auto", "torch"):
        return plan.decide(Decision(name, "on the host", f"env.backend is {facts.backend}"))
    how = "compiled" if compiled else "eager"
    choice = Decision(name, f"on the device, {how}", reason, lacks)
    return plan.decide(
        choice,
        facts=replace(facts, backend="torch"),
        device_rollout=True,
        compile_rollout=compiled,
    )


def _device_problem(plan: Plan) -> str:
    """Why a rollout cannot be computed as tensors alone, or nothing."""
    if plan.searches:
        return "each candidate of the cross-entropy method has a network of its own"
    if plan.spec.update.buffer is not None:
        return "the buffer of rollouts is on the host"
    plain = plan.policy in ("categorical", "gaussian") and plan.networks.std == "independent"
    if plan.memory or plan.custom or not plain:
        return "only plain networks with a categorical or Gaussian distribution act on the device"
    return tensor_problem(plan.facts)


def choose_action_units(plan: Plan) -> Plan:
    """Measure Gaussian actions from the middle of their bounds where those are far from ±1."""
    wanted, odd = plan.spec.networks.actor.action_scaling, ill_fitting_bounds(plan.facts)
    if plan.policy != "gaussian" or not is_bounded(plan.facts) or wanted == "none":
        return plan
    if wanted == "auto" and odd is None:
        return plan
    reason = "networks.actor.action_scaling is bounds"
    if wanted == "auto" and odd is not None:
        reason = f"actions around 0 of deviation 1 explore [{odd[0]:g}, {odd[1]:g}] badly"
    choice = Decision("units of actions", "half the range of their bounds, from the middle", reason)
    return plan.decide(choice, action_units=units_of_bounds(plan.facts))


def choose_actor(plan: Plan) -> Plan:
    """Compute actions where the observations are."""
    if plan.device_rollout:
        reason = "observations are on the device, and one step is compiled with the next"
        return plan.decide(Decision("actor", "torch", reason))
    if not plan.networks.acts_in_numpy:
        reason = "NumPy has no convolutions, no memory and none of a user's code"
        return plan.decide(Decision("actor", "torch", reason))
    reason = "observations are on the host, where NumPy takes 0.3 to 0.9 of torch's time"
    return plan.decide(Decision("actor", "NumPy", reason))


def hoist_evaluation(plan: Plan) -> Plan:
    """Evaluate values and log-probabilities after a rollout: the policy does not change in it."""
    if plan.searches:
        return plan
    steps, rows = plan.rollout_length, plan.spec.env.num_envs
    reason = f"{steps} evaluations of {rows} rows are one; 256 of 8 are so 5.9 times as fast"
    return plan.decide(Decision("values and log-probabilities", "once a rollout", reason))


def draw_noise_at_once(plan: Plan) -> Plan:
    """Draw the noise of all actions of a rollout at once: it depends on nothing in it."""
    if plan.searches:
        return plan
    reason = f"{plan.rollout_length} draws are one; 256 of 8 are so 3 times as fast"
    return plan.decide(Decision("noise", "once a rollout", reason))


def choose_update(plan: Plan) -> Plan:
    """Compile the update where the run is long enough to earn back the time that takes."""
    if plan.searches:
        return plan.decide(Decision("update", "NumPy", "the cross-entropy method has no gradient"))
    unrolled = plan.sequence_length if plan.memory else 0
    costs = SECONDS_TO_COMPILE + unrolled * SECONDS_TO_COMPILE_UNROLLED
    images = sum(layer.multiply_adds for layer in plan.networks.layers() if layer.kernel)
    gains = (
        SECONDS_GAINED
        + images * plan.minibatch_size * SECONDS_GAINED_IMAGES
        + unrolled * SECONDS_GAINED_UNROLLED
    )
    compiled, reason, lacks = _worth_compiling(plan, plan.num_updates, "updates", gains, costs)
    choice = Decision("update", "compiled" if compiled else "eager", reason, lacks)
    return plan.decide(choice, compile_update=compiled)


def choose_fisher_product(plan: Plan) -> Plan:
    """Compile a trust region's products with Fisher's matrix where the run is long enough."""
    products = plan.num_fisher_products
    if not products:
        return plan
    compiled, reason, lacks = _worth_compiling(plan, products, "products", SECONDS_GAINED_PRODUCT)
    choice = Decision("Fisher product", "compiled" if compiled else "eager", reason, lacks)
    return plan.decide(choice, compile_fisher=compiled)


def _worth_compiling(
    plan: Plan, count: int, what: str, gain_each: float, cost: float = SECONDS_TO_COMPILE
) -> tuple[bool, str, bool]:
    """Whether to compile something called so often, why, and whether a compiler is lacking."""
    settled = compile_settled(plan.spec.training.compile)
    if settled is not None:
        return *settled, False
    gain = count * gain_each
    reason = (
        f"{count:,} {what} gain about {gain:.0f} s from being compiled, "
        f"which takes about {cost:.0f} s the first time"
    )
    return if_possible(gain > cost, reason)


def choose_threads(plan: Plan) -> Plan:
    """Keep torch to one thread where a layer is too small to share out."""
    if plan.searches:
        return plan  # torch only draws the first parameters
    # A memory's state goes through its layer one step of the sequences after another.
    rows = plan.minibatch_size // (plan.sequence_length if plan.memory else 1)
    stepped = {cell.hidden.name for cell in plan.networks.cells}
    work = max(
        (rows if layer.name in stepped else plan.minibatch_size) * layer.multiply_adds
        for layer in plan.networks.layers()
    )
    single = work < 4_000_000
    reason = f"the largest layer is {work / 1e6:.1f} million multiply-adds a minibatch"
    return plan.decide(
        Decision("torch threads", "one" if single else "torch's own choice", reason),
        single_thread=single,
    )


PASSES: tuple[Callable[[Plan], Plan], ...] = (
    choose_update,
    choose_fisher_product,
    choose_threads,
    choose_rollout,
    choose_action_units,
    choose_actor,
    hoist_evaluation,
    draw_noise_at_once,
)


def run_passes(plan: Plan) -> Plan:
    """A plan after all passes, in order."""
    for step in PASSES:
        plan = step(plan)
    return plan
