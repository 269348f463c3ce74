"""Values that follow the KL divergence an update caused."""


def follow_kl(kl: float, target: float, *, rise: float, slack: float) -> float:
    """The factor for a value that is to keep the KL divergence near a target.

    `rise` where the divergence is above `slack` times the target, 1/`rise` where it is below the
    target over `slack`, else 1 (Schulman et al. 2017, Proximal policy optimization algorithms,
    section 4, with rise 2 and slack 1.5 for the weight of a KL penalty).
    """
    if kl > slack * target:
        return rise
    return 1 / rise if kl < target / slack else 1.0
