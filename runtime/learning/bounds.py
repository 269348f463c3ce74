"""Actions that are at a bound."""

from typing import Any

import numpy as np

NEAR = 0.01  # of the range between two bounds, within which an action is at one of them


def share_at_bound(actions: Any, low: Any, high: Any) -> float:
    """The largest share of actions [..., A] that is at one bound of one component.

    Args:
        actions: as they are taken, or as they were before clipping: an array or a tensor.
        low: the bounds, of all components or each; infinite where there are none.
    """
    rows = np.asarray(actions.cpu() if hasattr(actions, "cpu") else actions)
    rows = rows.reshape(-1, rows.shape[-1])
    low, high = (np.broadcast_to(np.float64(bound), rows.shape[-1]) for bound in (low, high))
    bounded = np.isfinite(low) & np.isfinite(high)
    margin = NEAR * np.subtract(high, low, out=np.zeros_like(low), where=bounded)
    at_low, at_high = rows <= low + margin, rows >= high - margin
    return float(max(at_low.mean(0).max(), at_high.mean(0).max()))
