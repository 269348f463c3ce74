"""Images: Atari games by name, sizes of screens, and what a task without images makes of them."""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.agent.atari import INSTALL, is_atari
from ppoc.draft.agent.fields import STAND_IN, preset_values, takes, zoo_values
from ppoc.draft.agent.request import Request
from ppoc.draft.spec.drafts import Value
from ppoc.draft.text.claims import Claim, Note, Reading

LIKE = "ppo/pong"  # the spec of the zoo that other games follow
OF_PPO = ("losses.", "optimizer.", "update.")
ONLY_IMAGES = ("networks.actor.body", "networks.critic.body", "networks.actor.features",
               "networks.critic.features", "env.resize", "env.grayscale")  # fmt: skip
# Where Atari preprocessing has a field of its own.
INNER = {
    "env.frame_skip": "env.atari.frame_skip",
    "env.grayscale": "env.atari.grayscale",
    "env.resize": "env.atari.screen_size",
}


def read_resize(reader: Request) -> None:
    """Claim the size that images are brought to: `resized to 64x64`, `84x84 pixels`."""
    items = reader.items
    for at in sorted(reader.free):
        number, sentence = items[at].number, items[at].sentence
        before = [i for i in items[max(0, at - 4) : at] if i.sentence == sentence]
        after = items[at + 1 : at + 2]
        if not (any(i.cue("resize") for i in before) or any(i.cue("pixels") for i in after)):
            continue
        values = number.many or (number.value, number.value) if number is not None else ()
        sizes = [int(v) for v in values if v.is_integer()]
        first = next((i for i in before if i.cue("resize")), items[at])
        reader.free.discard(at)
        problem = takes("env.resize", sizes)
        if problem is None:
            reader.claim("env.resize", sizes, first, items[at])
        else:
            reader.note("cannot", first, f"`env.resize` cannot be {sizes}: {problem}", items[at])


def settled(reader: Request, claims: list[Claim]) -> list[Claim]:
    """Claims about images where they belong: an Atari game has preprocessing of its own."""
    if any(claim.path.startswith("env.atari.") for claim in claims):
        claims = [claim for claim in claims if claim.path != "env.atari"]
    by_path = {claim.path: claim for claim in claims}
    known: Mapping[str, Any] = reader.known or {}
    said = by_path.get("env.id")
    env_id = str(said.value if said is not None else known.get("env.id", ""))
    off = "env.atari" in by_path and by_path["env.atari"].value is None
    raw = off or known.get("env.atari", ...) is None
    if is_atari(env_id):
        return claims if raw else [c for c in (_inner(reader, c) for c in claims) if c is not None]
    if not env_id:
        return _without_images(reader.reading, claims)
    return _without(reader.reading, claims, ("env.atari",), env_id)


def _inner(reader: Request, claim: Claim) -> Claim | None:
    """A claim at the path that Atari preprocessing has for it."""
    value = claim.value
    if claim.path == "env.resize":
        if value[0] != value[1]:
            words = reader.reading.words(claim.start, claim.end)
            reader.reading.notes.append(Note("cannot", words, "screens of Atari games are square"))
            return None
        value = value[0]
    return Claim(INNER.get(claim.path, claim.path), value, claim.start, claim.end, claim.how)


def _without_images(reading: Reading, claims: list[Claim]) -> list[Claim]:
    """Claims without those about images, if no environment is there that could show any."""
    games = any(note.text.startswith(INSTALL) for note in reading.notes)
    if not games and not any(claim.path.startswith(ONLY_IMAGES) for claim in claims):
        return claims
    paths = (*ONLY_IMAGES, "env.atari", "env.frame_stack", "env.frame_skip")
    return _without(reading, claims, paths, STAND_IN)


def _without(
    reading: Reading, claims: list[Claim], paths: tuple[str, ...], env_id: str
) -> list[Claim]:
    """Claims without some, whose words are noted once."""
    out = [c for c in claims if c.path.startswith(paths) and c.value is not None]
    words = dict.fromkeys(reading.words(c.start, c.end) for c in out)
    if out:
        text = f"about images, or about screens of games, and {env_id} shows none"
        reading.notes.append(Note("cannot", '", "'.join(words), text))
    return [claim for claim in claims if claim not in out]


def defaults(full: Mapping[str, Value], algorithm: str) -> dict[str, Any]:
    """Values to start an Atari game from: preprocessing, networks and numbers of the zoo's Pong."""
    found = {p: v for p, v in zoo_values(LIKE).items() if p.startswith(("env.", "networks."))}
    del found["env.id"]
    below = preset_values(algorithm)
    if algorithm == "ppo":
        found |= {p: v for p, v in zoo_values(LIKE).items() if p.startswith(OF_PPO)}
    if any(path.startswith("env.atari") for path in full):
        del found["env.atari"]
    share = full["networks.critic.share"].value if "networks.critic.share" in full else "body"
    if share == "body" and _can_share(full, below):
        return found
    for path in [p for p in found if p.startswith("networks.critic.")]:
        del found[path]
    if share != "actor" and _has_critic(full, below):
        found["networks.critic.body"] = found["networks.actor.body"]
        found["networks.critic.layers"] = found["networks.actor.layers"]
    return found


def _has_critic(full: Mapping[str, Value], below: Mapping[str, Any]) -> bool:
    return "networks.critic" not in full and below.get("networks.critic", 0) is not None


def _can_share(full: Mapping[str, Value], below: Mapping[str, Any]) -> bool:
    """Whether the critic may share the actor's body: it has none of another kind, nor a step."""
    own, actors = (full.get(f"networks.{role}.body") for role in ("critic", "actor"))
    same = own is None or (actors is not None and own.value == actors.value)
    steps = below.get("optimizer.trust_region", 0) is None
    return same and steps and _has_critic(full, below)


def shared(full: Mapping[str, Value]) -> dict[str, Value]:
    """Values without those that the critic has from the actor, where it shares its body."""
    share = full.get("networks.critic.share")
    if share is None or share.value != "body":
        return dict(full)
    parts = ("networks.critic.body", "networks.critic.memory", "networks.critic.features")
    return {path: value for path, value in full.items() if not path.startswith(parts)}
