"""What makes specs of `kind: rlhf`."""

from ppoc.compiler.front.spec_kind import Kind
from ppoc.compiler.front.values import VERSION
from ppoc.compiler.rlhf.checks import CHECKS
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.lints import LINTS
from ppoc.compiler.rlhf.peers import PEERS
from ppoc.compiler.rlhf.resolved import RlhfResolved

RLHF = Kind(
    "rlhf",
    RlhfSpec,
    {"ppoc": VERSION, "kind": "rlhf", "name": "model", "model": {}},
    PEERS,
    RlhfResolved,
    CHECKS,
    LINTS,
)
