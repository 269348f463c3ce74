"""MuJoCo's camera, which follows a body that leaves the place where it starts."""

from collections.abc import Mapping
from typing import Any

CHOSEN = ("camera_id", "camera_name", "default_camera_config")  # options of environments


def follow(env: Any, options: Mapping[str, Any]) -> str | None:
    """Let the camera of an environment follow its body; the body's name, None where it stays.

    Gymnasium's own is fixed where the task has none, and from version 1.4 on everywhere. Other
    simulators' environments are left alone, and so is a camera that the options choose.
    """
    inner = env.unwrapped
    renderer, model = getattr(inner, "mujoco_renderer", None), getattr(inner, "model", None)
    if renderer is None or model is None or any(name in options for name in CHOSEN):
        return None
    body = _moving_body(model)
    if body is None:
        return None
    import mujoco

    tracking = {"type": mujoco.mjtCamera.mjCAMERA_TRACKING, "trackbodyid": body}
    renderer.default_cam_config = {**(renderer.default_cam_config or {}), **tracking}
    renderer.camera_id = None  # which would set the camera's type at each frame
    return str(model.body(body).name)


def _moving_body(model: Any) -> int | None:
    """The first body whose joint to the world lets it go anywhere: a free one, or an endless slide.

    A cart on a rail, an arm and what it pushes have limits.
    """
    import mujoco

    kinds = mujoco.mjtJoint
    for joint in range(model.njnt):
        body = int(model.jnt_bodyid[joint])
        slides = model.jnt_type[joint] == kinds.mjJNT_SLIDE and not model.jnt_limited[joint]
        free = model.jnt_type[joint] == kinds.mjJNT_FREE
        if model.body_parentid[body] == 0 and (free or slides):
            return body
    return None
