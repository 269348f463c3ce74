"""How specs of each kind are drafted. No other file of drafting names the kinds."""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.agent.asked import AGENT
from ppoc.draft.agent.compose import advice
from ppoc.draft.agent.compose import compose as compose_agent
from ppoc.draft.agent.compose import fitted as fitted_agent
from ppoc.draft.agent.describe import describe as describe_agent
from ppoc.draft.agent.describe import say as say_agent
from ppoc.draft.agent.fields import below, field_table, zoo
from ppoc.draft.agent.reader import read as read_agent
from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment.drafting import experiments
from ppoc.draft.rlhf.asked import RLHF
from ppoc.draft.rlhf.compose import compose as compose_rlhf
from ppoc.draft.rlhf.compose import fitted as fitted_rlhf
from ppoc.draft.rlhf.compose import missing_files
from ppoc.draft.rlhf.describe import describe as describe_rlhf
from ppoc.draft.rlhf.describe import say as say_rlhf
from ppoc.draft.rlhf.fields import defaults, table
from ppoc.draft.rlhf.reader import is_one as is_rlhf
from ppoc.draft.rlhf.reader import read as read_rlhf


def _is_rlhf(request: str, known: Mapping[str, Any] | None) -> bool:
    """Whether a request is for a language model; an agent of the zoo, as figure3/ppo, is none."""
    agents = known is None and any(name in request.lower() for name in zoo())
    return is_rlhf(request, known) and not agents


# The last is the kind of a request that is of no other.
RUNS = {
    "rlhf": Drafting(
        _is_rlhf,
        read_rlhf,
        compose_rlhf,
        fitted_rlhf,
        describe_rlhf,
        RLHF,
        lambda resolved: [],
        missing_files,
        lambda reading: defaults(),
        say_rlhf,
        lambda: list(table()),
    ),
    "control": Drafting(
        lambda request, known: True,
        read_agent,
        compose_agent,
        fitted_agent,
        describe_agent,
        AGENT,
        advice,
        lambda resolved, folder: [],
        below,
        say_agent,
        lambda: list(field_table()),
        lacks_environment=lambda reading: reading.claim("env.id") is None,
    ),
}
KINDS = {"experiment": experiments(RUNS), **RUNS}
