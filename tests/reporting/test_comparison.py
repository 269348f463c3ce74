"""Comparisons: what counts, verdicts in words, and what does not change them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppoc.formats.reading import FormatError
from ppoc.reporting.comparison import OVERALL, compare
from ppoc.reporting.documents import csv_of, document, latex_of
from ppoc.reporting.run import Curve, Run
from ppoc.reporting.text import text_of


def runs_of(**scores):
    """Runs of settings, on one task, by their scores."""
    return [
        Run(f"{setting}-{seed}", setting, "T", seed, score=float(score))
        for setting, own in scores.items()
        for seed, score in enumerate(own, 1)
    ]


def compared(runs, **options):
    return compare(runs, resamples=200, **options)


PLAIN = [100, 110, 95, 105, 98]


def test_a_large_difference_is_found_both_ways():
    found = compared(runs_of(plain=PLAIN, good=[200, 210, 190, 205, 195], bad=[1, 2, 3, 4, 5]))
    good, bad = found.verdicts
    assert (good.outcome, bad.outcome) == ("better", "worse")
    assert good.low > 0 > bad.high
    assert good.text().startswith("good is better than plain on T: +98.4 (97.5% interval +86")
    assert found.table.baseline == "plain"


def test_equal_scores_make_no_difference_that_matters():
    found = compared(runs_of(a=[500] * 5, b=[500] * 5))
    (verdict,) = found.verdicts
    assert verdict.outcome == "no difference that matters"
    assert "0" in verdict.text()


def test_a_small_difference_is_none_that_matters_however_sure_it_is():
    runs = runs_of(a=[100.0, 100.1, 99.9, 100, 100], b=[101.0, 101.1, 100.9, 101, 101])
    assert compared(runs).verdicts[0].outcome == "no difference that matters"
    assert compared(runs, share=0.001).verdicts[0].outcome == "better"
    assert compared(runs, margin=0.5).verdicts[0].outcome == "better"
    assert compared(runs, margin=2).verdicts[0].outcome == "no difference that matters"


def test_noise_is_too_little_evidence_and_says_how_many_seeds_would_tell():
    found = compared(runs_of(a=[100, 50, 150], b=[120, 60, 200]))
    (verdict,) = found.verdicts
    assert verdict.outcome == "too little evidence"
    assert verdict.more > 3
    assert f"about {verdict.more} more seeds of each may tell" in verdict.text()


@pytest.mark.parametrize("seeds", [(1, 1), (1, 5), (5, 1)])
def test_one_seed_is_never_enough(seeds):
    found = compared(runs_of(a=[1.0] * seeds[0], b=[1000.0] * seeds[1]))
    assert found.verdicts[0].outcome == "too little evidence"
    assert "from a single seed; each needs 3 seeds at least" in found.verdicts[0].text()
    same = compared(runs_of(a=[500.0] * seeds[0], b=[500.0] * seeds[1]))
    assert same.verdicts[0].outcome == "too little evidence"


def test_two_seeds_are_never_enough_at_95_percent():
    found = compared(runs_of(a=[0, 0], b=[500, 500]))
    assert found.verdicts[0].outcome == "too little evidence"
    assert "each needs 3 seeds at least" in found.verdicts[0].text()
    same = compared(runs_of(a=[500, 500], b=[500, 500]))
    assert same.verdicts[0].outcome == "too little evidence"


def test_a_question_is_answered_in_the_first_line():
    question = "Does it help?"
    one = compared(runs_of(plain=PLAIN, good=[200, 210, 190, 205, 195]), question=question)
    assert one.verdict.split("\n")[0].startswith("Does it help? good is better than plain on T: +")
    several = compared(
        runs_of(plain=PLAIN, good=[200, 210, 190, 205, 195], bad=[1, 2, 3, 4, 5]), question=question
    )
    assert several.verdict.split("\n")[0] == (
        "Does it help? better than plain: good; worse than plain: bad"
    )
    assert len(several.verdict.split("\n")) == 3
    alone = compared(runs_of(plain=PLAIN), question=question)
    assert alone.verdict.split("\n") == [
        question,
        "mean score 101.6 on T (5 seeds)",
        "one setting alone is compared with nothing",
    ]


def two_tasks(second):
    rng = np.random.default_rng(0)
    means = {("a", "One"): 100, ("a", "Two"): 100, ("b", "One"): 200, ("b", "Two"): second}
    return [
        Run(f"{setting}-{task}-{seed}", setting, task, seed, score=mean + rng.normal(0, 5))
        for (setting, task), mean in means.items()
        for seed in range(1, 6)
    ]


def test_tasks_that_disagree_are_said():
    found = compared(two_tasks(second=20))
    assert found.verdicts[0].outcome == "too little evidence"
    assert [verdict.outcome for verdict in found.by_task] == ["better", "worse"]
    lines = found.verdict.split("\n")
    assert lines[1] == "the tasks disagree about b:"
    assert lines[2].startswith("  b is better than a on One")
    assert lines[3].startswith("  b is worse than a on Two")


def test_over_tasks_scores_are_normalised_and_it_is_said_how():
    found = compared(two_tasks(second=200))
    assert found.verdicts[0].outcome == "better"
    (a, b) = (cell for cell in found.cells if cell.task == OVERALL)
    assert a.statistics["mean"].value < 0.1 < 0.9 < b.statistics["mean"].value
    assert any("least and greatest of all runs compared" in note for note in found.notes)
    given = compared(two_tasks(second=200), scores={"One": (0, 100), "Two": (0, 400)})
    (a, b) = (cell for cell in given.cells if cell.task == OVERALL)
    assert a.statistics["mean"].value == pytest.approx((1 + 0.25) / 2, abs=0.05)
    assert any("as `compare.scores` says" in note for note in given.notes)
    with pytest.raises(FormatError, match="must ascend"):
        compared(two_tasks(second=200), scores={"One": (3, 3)})


def test_more_comparisons_need_more_evidence():
    rng = np.random.default_rng(4)
    base, other = np.arange(5) - 2.0, np.arange(5) + 1.0
    alone = compared(runs_of(base=base, other=other))
    assert alone.verdicts[0].outcome == "better"
    crowd = {f"c{n}": rng.normal(0, 1, 5) for n in range(12)}
    among = compared(runs_of(base=base, other=other, **crowd))
    assert among.verdicts[0].level == pytest.approx(0.05 / 13)
    assert among.verdicts[0].outcome == "too little evidence"
    assert any("13 comparisons" in line for line in text_of(among).split("\n"))


def test_what_does_not_count_is_said():
    runs = [
        *runs_of(a=PLAIN, b=PLAIN),
        Run("b-6", "b", "T", 6, state="failed", reason="diverged"),
        Run("b-7", "b", "T", 7, state="running"),
        Run("b-8", "b", "T", 8, score=float("nan")),
        Run("a-6", "a", "T", 6, score=1.0),
        Run("a-1 again", "a", "T", 1, score=99.0),
        Run("c-1", "c", "T", 1, state="waiting"),
    ]
    found = compared(runs)
    notes = "\n".join(found.notes)
    assert "1 run failed and not counted: b-6 (diverged)" in notes
    assert "1 run is not finished and not counted: b-7" in notes
    assert "they have no final evaluation (--metric training needs none): b-8" in notes
    assert "setting, task and seed were there before: a-1 again (as a-1)" in notes
    assert "b lacks on T seed 6" in notes
    assert "c has no score on T" in notes
    assert len(found.table.scores["a", "T"]) == 6
    assert "no scores that could be compared" in found.verdicts[1].text()


def test_nothing_to_compare_is_an_error():
    with pytest.raises(
        FormatError, match=r"no run can be compared\n  1 run stopped early and not .*x"
    ):
        compared([Run("x", "a", state="stopped")])
    with pytest.raises(FormatError, match="no setting is called 'z'; there are a"):
        compared(runs_of(a=PLAIN), baseline="z")


def test_curves_give_area_last_return_and_steps_to_a_threshold():
    steps = np.array([0.0, 10, 20])
    runs = [
        Run("a1", "a", "T", 1, score=9, curve=Curve(steps, np.array([0.0, 10, 10]))),
        Run("a2", "a", "T", 2, score=9, curve=Curve(steps, np.array([0.0, 0, 20]))),
        Run("b1", "b", "T", 1, score=9, curve=Curve(steps, np.array([0.0, 0, 2]))),
        Run("b2", "b", "T", 2, score=9, curve=Curve(steps, np.array([10.0, 0, 2]))),
    ]
    found = compared(runs, threshold=10)
    a, b = found.cells
    assert (a.auc, b.auc) == ((7.5 + 5) / 2, (0.5 + 3) / 2)
    assert (a.reached.steps, a.reached.median) == ([10, 20], 10)
    assert (b.reached.steps, b.reached.arrived, b.reached.median) == ([None, 0], 1, 0)
    area = compared(runs, metric="auc")
    assert area.table.scores["a", "T"].tolist() == [5, 7.5]
    last = compared(runs, metric="training")
    assert last.table.scores["b", "T"].tolist() == [2, 2]
    assert "steps to 10" in text_of(found)
    # The baseline learnt from 0 to 9, of which 5% matter.
    assert found.scales["T"].matters == pytest.approx(0.45)


scores = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)


@settings(max_examples=40)
@given(scores, scores, st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_nothing(ours, theirs, random):
    runs = runs_of(a=ours, b=theirs)
    shuffled = [
        *random.sample(runs[: len(ours)], len(ours)),
        *random.sample(runs[len(ours) :], len(theirs)),
    ]
    first, second = (compared(one) for one in (runs, shuffled))
    assert csv_of(first) == csv_of(second)
    assert first.verdict == second.verdict


@settings(max_examples=40)
@given(scores, scores)
def test_a_constant_and_a_unit_change_no_verdict(ours, theirs):
    scales = {"T": (-1e6, 1e6)}
    first = compared(runs_of(a=ours, b=theirs), scores=scales)
    moved = {"a": [8 * x + 64 for x in ours], "b": [8 * x + 64 for x in theirs]}
    second = compared(runs_of(**moved), scores={"T": (-8e6 + 64, 8e6 + 64)})
    if abs(first.verdicts[0].p - first.verdicts[0].level) > 1e-6:
        assert first.verdicts[0].outcome == second.verdicts[0].outcome
    assert second.verdicts[0].difference == pytest.approx(
        8 * first.verdicts[0].difference, abs=1e-3
    )


@settings(max_examples=40)
@given(scores, scores)
def test_who_is_the_baseline_turns_the_verdict_round(ours, theirs):
    scales = {"T": (-1e6, 1e6)}
    there = compared(runs_of(a=ours, b=theirs), scores=scales).verdicts[0]
    back = compared(runs_of(a=ours, b=theirs), scores=scales, baseline="b").verdicts[0]
    opposite = {"better": "worse", "worse": "better"}
    assert back.outcome == opposite.get(there.outcome, there.outcome)
    assert back.difference == -there.difference


def test_a_report_fits_its_width_and_steers_no_terminal():
    name = "a very long setting's name \x1b[31m, of many words, " * 3
    runs = [
        Run(f"{setting}{seed}", setting, task, seed, score=seed * 1e5 + len(setting))
        for setting in ("plain", name, "日本語の設定")
        for task in ("One", "T\nwo")
        for seed in range(5)
    ]
    text = text_of(compared(runs))
    assert "\x1b" not in text
    from rich.cells import cell_len

    assert max(map(cell_len, text.split("\n"))) <= 100


def test_latex_escapes_what_others_wrote():
    text = latex_of(compared(runs_of(**{"a_1 & \\input{x}%": PLAIN, "b": PLAIN})))
    assert r"a\_1 \& \textbackslash{}input\{x\}\%" in text
    rows = [line for line in text.split("\n") if "&" in line]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {7}
    assert all(line.endswith(r" \\") for line in rows)


def test_a_document_is_json_and_complete():
    found = document(compared(two_tasks(second=200), threshold=5))
    assert json.loads(json.dumps(found)) == found
    assert {row["task"] for row in found["results"]} == {"One", "Two", OVERALL}
    row = found["results"][0]
    assert len(row["performance_profile"]["shares"]) == 21
    assert set(row) >= {"mean", "median", "iqm", "optimality_gap", "probability_of_improvement"}
    assert [verdict["outcome"] for verdict in found["verdicts"]] == ["better"] * 3


def test_a_setting_on_other_tasks_is_set_apart_in_one_line():
    runs = [
        *runs_of(a=PLAIN, b=PLAIN),
        *(Run(f"far-{seed}", "far", "U", seed, score=1.0) for seed in range(1, 6)),
    ]
    found = compared(runs)
    assert [(one.setting, one.task) for one in found.verdicts] == [("b", "T")]
    assert not found.by_task
    assert found.verdict.split("\n")[-1] == "far is not compared with a: no task has scores of both"
    said = f"{text_of(found)}"
    assert "has no score" not in said
    assert "matters" not in "".join(line for line in said.split("\n") if " on U" in line)


def test_a_setting_without_scores_is_named_and_a_baseline_without_any_too():
    failed = [Run(f"c-{seed}", "c", "T", seed, state="failed", reason="nan") for seed in (1, 2)]
    runs = [*runs_of(a=PLAIN, b=PLAIN), *failed]
    lines = compared(runs, question="Why?").verdict.split("\n")
    assert lines[0].endswith("nothing is known about c")
    assert lines[2] == "nothing is known about c on T: it has no scores that could be compared"
    said = compared(runs, question="Why?", baseline="c").verdict
    assert said == "Why? nothing can be compared: the baseline c has no score"


def test_a_setting_alone_is_told_by_its_mean():
    found = compared([Run("a-1", "a", "T", 1, score=7.0)], question="Why?")
    assert found.verdict.split("\n") == [
        "Why?",
        "mean score 7 on T (1 seed)",
        "one setting alone is compared with nothing",
    ]
