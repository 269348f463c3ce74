"""Files, run folders and models that a request names: which is which."""

from ppoc.draft.rlhf.request import RlhfRequest
from ppoc.draft.rlhf.terms import terms
from ppoc.draft.text.claims import Claim, Note
from ppoc.draft.text.items import Item

SUFFIX = ".jsonl"
OF_STAGE = {"sft": "demonstrations", "reward": "preferences", "ppo": "prompts"}
FAMILIES = {"gpt2": "gpt2"}  # names of models that are names of architectures too


def read(reader: RlhfRequest) -> None:
    """Claim the files, runs and models of a request."""
    for at, item in enumerate(reader.items):
        for name in item.names("file"):
            key = _role(reader, at, name)
            if not name.endswith((SUFFIX, ".json", ".ndjson")):
                text = f"data is JSON Lines; make a {SUFFIX} file of it"
                reader.reading.notes.append(Note("cannot", name, text))
            reader.claim(f"data.{key}", name, item)
        for name in item.names("run"):
            reader.claim(f"start.{_what_of(reader, at)}", name, item)
        if item.names("base") and not _of_reward(reader, at):
            reader.claim("start.policy", "base", item)
    _model(reader)


def _role(reader: RlhfRequest, at: int, name: str) -> str:
    """The content of a file, by its name, or by the words around it."""
    stem = name.rpartition("/")[2].rpartition(".")[0].lower()
    own: list[str] = [key for key, words in terms().data["files"].items() if _in_name(stem, words)]
    if len(own) == 1:
        return own[0]
    items, item = reader.items, reader.items[at]
    near = [
        (at - i if i < at else (i - at) + 6, i)
        for i, other in enumerate(items)
        if other.sentence == item.sentence and (other.names("file_of") or other.names("stage"))
        and not reader.negated(i)
    ]  # fmt: skip
    taken = {claim.path.removeprefix("data.") for claim in reader.reading.claims}
    for _, i in sorted(near):
        for key in _roles_of(items[i]):
            if key not in taken:
                return key
    wanted = [OF_STAGE[stage] for stage in reader.stages or ("sft", "reward", "ppo")]
    return next((key for key in wanted if key not in taken), "demonstrations")


def _in_name(stem: str, words: list[str]) -> bool:
    parts = set(stem.replace("-", "_").split("_"))
    return any(word in parts for word in words)


def _roles_of(item: Item) -> list[str]:
    return item.names("file_of") or [OF_STAGE[stage] for stage in item.names("stage")]


def _what_of(reader: RlhfRequest, at: int) -> str:
    """Whether a run has the policy or the reward model, by the nearest word before it."""
    name = reader.items[at].text.rpartition("/")[2]
    for other in reversed(reader.items[max(0, at - 6) : at]):
        if other.names("run"):
            break
        found = other.names("run_of")
        if found and not (other.text.startswith(("start", "continue")) and "rm" in name):
            return found[0]
    return "reward" if name.startswith(("rm", "reward")) else "policy"


def _of_reward(reader: RlhfRequest, at: int) -> bool:
    """Whether the reward model is the one that starts from the base model."""
    return reader.stages == ["reward"]


def starts(items: list[Item]) -> bool:
    """Whether a request names a run, or the base model, to start from."""
    return any(item.names("run") or item.names("base") for item in items)


def _model(reader: RlhfRequest) -> None:
    folders = [(item.names("folder")[0], item) for item in reader.items if item.names("folder")]
    named = [(item.names("model")[0], item) for item in reader.items if item.names("model")]
    fresh = any(item.names("new") for item in reader.items)
    for name, item in [*folders, *named][:1]:
        sized = any(i.names("quantity") in (["layers"], ["heads"]) for i in reader.items)
        if name in FAMILIES and (fresh or sized) and not folders:
            reader.claim("model.config.architecture", FAMILIES[name], item)
        else:
            reader.claim("model.id", name, item)


def settled(claims: list[Claim]) -> list[Claim]:
    """Claims without those of a new model where one of the hub is named, and without the reverse.

    A tokenizer's vocabulary makes no model new, and a number of heads alone none either.
    """
    if any(claim.path == "model.id" for claim in claims):
        return [claim for claim in claims if not claim.path.startswith("model.config.")]
    return claims
