"""The data of specs/rlhf/tiny.yaml are what its script makes, by the rule that it states."""

import importlib.util
import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "specs" / "rlhf" / "tiny"


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_tiny", DATA / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_shipped_files_are_what_the_script_makes(make):
    made = make.make()
    assert {path.name for path in DATA.glob("*.jsonl")} == set(made)
    for name, text in made.items():
        assert (DATA / name).read_bytes() == text.encode(), name


def test_every_ranking_follows_the_rule(make):
    """`points` reads the texts alone, and not how they were made."""
    rows = [json.loads(line) for line in (DATA / "preferences.jsonl").open(encoding="utf-8")]
    for row in rows:
        ranking = row.get("ranking") or [row["chosen"], row["rejected"]]
        points = [make.points(row["prompt"], text) for text in ranking]
        assert points == sorted(set(points), reverse=True), row
    assert {len(row.get("ranking", "12")) for row in rows} == {2, 4}


def test_points_of_replies_counted_by_hand(make):
    asked = "Ada asks for plum cake.\nShop:"
    for reply, points in {
        " Hello Ada! Here is your plum cake. Enjoy it!": 3,
        " Hello Ben! Here is your plum cake.": 1,  # another's name is no greeting
        " Yes? One plum cake. Next.": -1,
        " You again. One lemon cake. Be quick.": -3,
        " Plum cake plum cake Here is your plum cake.": 1,
        "": -1,
    }.items():
        assert make.points(asked, reply) == points, reply


def test_demonstrations_leave_room_for_improvement(make):
    rows = [json.loads(line) for line in (DATA / "demonstrations.jsonl").open(encoding="utf-8")]
    points = [make.points(row["prompt"], row["response"]) for row in rows]
    assert 0 < sum(points) / len(points) < 1
    assert max(points) == 3
