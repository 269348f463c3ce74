"""Passes: named functions Plan → Plan, each of which makes one decision and says why."""

import os
import shutil
from collections.abc import Callable

from ppoc.compiler.plan import Decision, Plan

# Measured on two CPU cores with two 64×64 networks and minibatches of 64: 1.0 ms an eager update,
# 0.3 ms a compiled one, 24 s to compile it the first time (benchmarks/update.py).
SECONDS_TO_COMPILE = 12.0
SECONDS_GAINED = 0.7e-3
SECONDS_GAINED_PRODUCT = 3e-3
CXX_COMPILERS = (os.environ.get("CXX", "g++"), "clang++", "c++", "cl")


def _has_compiler() -> bool:
    return any(shutil.which(name) for name in CXX_COMPILERS)


def choose_update(plan: Plan) -> Plan:
    """Compile the update where the run is long enough to earn back the time that takes."""
    if plan.searches:
        return plan.decide(Decision("update", "NumPy", "the cross-entropy method has no gradient"))
    if not _has_compiler():
        why = f"torch.compile needs a C++ compiler ({', '.join(CXX_COMPILERS)}), and none is found"
        return plan.decide(Decision("update", "eager", why), compile_update=False)
    gain = plan.num_updates * SECONDS_GAINED
    worth_it = gain > SECONDS_TO_COMPILE
    reason = (
        f"{plan.num_updates:,} updates gain about {gain:.0f} s from being compiled, "
        f"which takes about {SECONDS_TO_COMPILE:.0f} s"
    )
    choice = "torch.compile" if worth_it else "eager"
    return plan.decide(Decision("update", choice, reason), compile_update=worth_it)


def choose_fisher_product(plan: Plan) -> Plan:
    """Compile a trust region's products with Fisher's matrix where the run is long enough."""
    products = plan.num_fisher_products
    if not products:
        return plan
    gain = products * SECONDS_GAINED_PRODUCT
    worth_it = gain > SECONDS_TO_COMPILE and _has_compiler()
    reason = f"{products:,} products gain about {gain:.0f} s from being compiled"
    choice = "compiled" if worth_it else "eager"
    return plan.decide(Decision("Fisher product", choice, reason), compile_fisher=worth_it)


def choose_threads(plan: Plan) -> Plan:
    """Keep torch to one thread where a layer is too small to share out."""
    if plan.searches:
        return plan  # torch only draws the first parameters
    work = max(
        plan.minibatch_size * layer.inputs * layer.outputs for layer in plan.networks.layers()
    )
    single = work < 4_000_000
    reason = f"the largest layer is {work / 1e6:.1f} million multiply-adds a minibatch"
    return plan.decide(
        Decision("torch threads", "one" if single else "torch's own choice", reason),
        single_thread=single,
    )


PASSES: tuple[Callable[[Plan], Plan], ...] = (choose_update, choose_fisher_product, choose_threads)


def run_passes(plan: Plan) -> Plan:
    """A plan after all passes, in order."""
    for step in PASSES:
        plan = step(plan)
    return plan
