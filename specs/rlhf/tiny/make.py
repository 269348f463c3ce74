"""Makes the data of specs/rlhf/tiny.yaml: replies of a shop, and which of them people prefer.

    python specs/rlhf/tiny/make.py

The rule: a reply has one point for a warm greeting, one for the right item and one for a warm end;
it loses one for a curt greeting, one for a wrong item and one for a curt end. Demonstrations have
all kinds of replies, as they come; in preferences the reply with more points is the better one.
"""

import json
import random
from pathlib import Path

NAMES = ["Ada", "Ben", "Carla", "Dora", "Emil", "Fatima", "Georg", "Hana", "Ivan", "Julia", "Kofi"]
ITEMS = [
    *("green tea", "black tea", "hot milk", "cold water", "apple juice", "red wine", "dark beer"),
    *("lemon cake", "plum cake", "rye bread", "white bread", "goat cheese", "onion soup"),
    *("fish soup", "fried rice", "baked beans", "roast duck", "pea salad", "ice cream"),
]
ASKS = ["{name} asks for {item}.", "{name} would like {item}.", "{name} orders {item}."]
GREETINGS = {1: ["Hello {name}!", "Welcome, {name}!"], 0: [""], -1: ["Yes?", "You again."]}
ITEM = ["Here is your {item}.", "One {item}."]
ENDS = {1: ["Enjoy it!", "Thank you!"], 0: [""], -1: ["Next.", "Be quick."]}
SHARES = {1: 0.3, 0: 0.4, -1: 0.3}  # of warm, plain and curt greetings and ends
WRONG = 0.1  # share of replies with the wrong item


def pick(rng: random.Random, choices: list[str]) -> str:
    """One of some choices; by `random` alone, which is the same in all versions of Python."""
    return choices[int(rng.random() * len(choices))]


def tone(rng: random.Random) -> int:
    draw = rng.random()
    return 1 if draw < SHARES[1] else 0 if draw < SHARES[1] + SHARES[0] else -1


def prompt(rng: random.Random) -> tuple[str, str, str]:
    """A request in words, the name of who makes it, and the item it asks for."""
    name, item = pick(rng, NAMES), pick(rng, ITEMS)
    return pick(rng, ASKS).format(name=name, item=item) + "\nShop:", name, item


def reply(rng: random.Random, name: str, item: str) -> tuple[str, int]:
    """A reply and its points."""
    first, last, wrong = tone(rng), tone(rng), rng.random() < WRONG
    served = pick(rng, [other for other in ITEMS if other != item]) if wrong else item
    parts = [pick(rng, GREETINGS[first]), pick(rng, ITEM), pick(rng, ENDS[last])]
    text = " ".join(part for part in parts if part).format(name=name, item=served)
    return f" {text}", first + last + (-1 if wrong else 1)


def points(prompt: str, response: str) -> int:
    """The rule, of any text, such as what a model writes."""

    def warmth(phrases: dict[int, list[str]]) -> int:
        names = [name for name in NAMES if name in prompt]
        said = {
            value: any(p.format(name=names[0]) in response for p in some if p)
            for value, some in phrases.items()
        }
        return int(said[1]) - int(said[-1])

    served = [item for item in ITEMS if item in response]
    right = len(served) == 1 and served[0] in prompt
    return warmth(GREETINGS) + warmth(ENDS) + (1 if right else -1)


def make() -> dict[str, str]:
    """File name → text, of all the data."""
    rng = random.Random(2022)
    demonstrations, preferences = [], []
    for _ in range(1000):
        asked, name, item = prompt(rng)
        demonstrations.append({"prompt": asked, "response": reply(rng, name, item)[0]})
    while len(preferences) < 800:
        asked, name, item = prompt(rng)
        wanted = 2 if rng.random() < 0.5 else 4
        by_points = dict[int, str]()
        for _ in range(50):
            text, score = reply(rng, name, item)
            by_points.setdefault(score, text)
            if len(by_points) == wanted:
                break
        ranking = [by_points[score] for score in sorted(by_points, reverse=True)]
        if len(ranking) == 2:
            row = {"prompt": asked, "chosen": ranking[0], "rejected": ranking[1]}
        else:
            row = {"prompt": asked, "ranking": ranking}
        preferences.append(row)
    seen = dict.fromkeys(prompt(rng)[0] for _ in range(500))
    prompts = [{"prompt": asked} for asked in list(seen)[:400]]
    rows = {"demonstrations": demonstrations, "preferences": preferences, "prompts": prompts}
    return {
        f"{name}.jsonl": "".join(json.dumps(row) + "\n" for row in some)
        for name, some in rows.items()
    }


if __name__ == "__main__":
    for name, text in make().items():
        Path(__file__).with_name(name).write_text(text, encoding="utf-8", newline="\n")
