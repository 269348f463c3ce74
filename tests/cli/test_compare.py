"""`ppoc compare`, as its users call it."""

import csv
import io
import json
import subprocess
import sys

from ppoc.formats import experiment
from ppoc.formats.experiment import ExperimentRecord, RunRecord

SHORT = ("-s", "training.total_steps=2048", "-s", "evaluation.episodes=5")
TABLE = "algo,env,seed,return\n" + "".join(
    f"{algo},A,{seed},{base + 3 * seed}\n"
    for algo, base in (("plain", 100), ("better", 200))
    for seed in range(1, 6)
)


def test_two_short_runs_of_two_seeds_end_to_end(ppoc, spec, tmp_path):
    for lr in ("3e-3", "1e-6"):
        for seed in (1, 2):
            out = f"lr-{lr}-{seed}"
            flags = ("-s", f"optimizer.actor.lr={lr}", "--seed", seed)
            assert ppoc("run", spec, *SHORT, *flags, "--out", out, "--quiet").code == 0
    folders = sorted(tmp_path.glob("lr-*"), reverse=True)
    shown = ppoc("compare", *folders, "--threshold", 15, "--plot", "curves.png")
    assert shown.code == 0
    assert "each needs 3 seeds at least for any claim" in " ".join(shown.out.split())
    assert "lr=0.003" in shown.out
    assert "steps to 15" in shown.out
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    document = json.loads(ppoc("compare", *folders, "--json", "--metric", "auc").out)
    assert len(document["settings"]) == 2
    assert [len(row["scores"]) for row in document["results"]] == [2, 2]
    results = [json.loads((folder / "result.json").read_text()) for folder in folders]
    document = json.loads(ppoc("compare", *folders, "--json").out)
    scores = sorted(score for row in document["results"] for score in row["scores"])
    assert scores == sorted(result["evaluation"]["mean"] for result in results)


def test_every_form_says_the_same(ppoc, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    shown = ppoc("compare", "t.csv")
    assert shown.out.startswith("better is better than plain on A: +100 (95% interval")
    document = json.loads(ppoc("compare", "t.csv", "--json").out)
    assert document["answer"][0] == shown.out.split("\n")[0]
    rows = list(csv.DictReader(io.StringIO(ppoc("compare", "t.csv", "--csv").out)))
    value = next(r["value"] for r in rows if (r["setting"], r["statistic"]) == ("better", "mean"))
    assert float(value) == 209
    assert r"\toprule" in ppoc("compare", "t.csv", "--latex").out
    assert ppoc("compare", "t.csv").out == shown.out
    turned = ppoc("compare", "t.csv", "--baseline", "better", "--confidence", 0.99)
    assert turned.out.startswith("plain is worse than better on A: −100 (99% interval")
    for margin in ("200", "200%"):
        wide = ppoc("compare", "t.csv", "--margin", margin)
        assert "makes no difference that matters" in wide.out


def test_misuse_is_one_message(ppoc, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    for arguments, said in [
        (("t.csv", "--json", "--csv"), "give one of --json, --csv and --latex"),
        (("t.csv", "--confidence", 95), "between 0 and 1"),
        (("t.csv", "--confidence", "nan"), "between 0 and 1"),
        (("t.csv", "--baseline", "x"), "no setting is called 'x'; there are plain, better"),
        (("t.csv", "--columns", "return"), "does not name a column"),
        (("t.csv", "--margin", "much"), "a difference such as 20, or a share such as 5%"),
        (("t.csv", "--margin", "nan%"), "a difference such as 20, or a share such as 5%"),
        (("nowhere",), "no run can be compared"),
        (("t.csv", "--plot", "x.png"), "no run has a curve that could be drawn"),
    ]:
        found = ppoc("compare", *arguments)
        assert found.code == 2, arguments
        assert said in found.err
        assert found.out == ""


def test_experiments_that_ask_different_things_are_answered_one_by_one(ppoc, tmp_path):
    for name, task, better in (("x", "A", "tuned"), ("y", "B", "small")):
        runs = [
            RunRecord(
                run=f"{setting}-{seed}",
                setting=setting,
                task=task,
                seed=seed,
                state="finished",
                score=score + 3.0 * seed,
            )
            for setting, score in (("plain", 100), (better, 200))
            for seed in range(1, 6)
        ]
        record = ExperimentRecord(
            name=name, question=f"Is {better} so?", settings=["plain", better], runs=runs
        )
        (tmp_path / name).mkdir()
        experiment.write(tmp_path / name, record)
    shown = ppoc("compare", "x", "y")
    assert shown.code == 0
    first, second = shown.out.split("Is small so?")
    assert first.startswith("x\n\nIs tuned so? tuned is better than plain on A: +100")
    assert first.rstrip().endswith("\ny")
    assert second.startswith(" small is better than plain on B: +100")
    refused = ppoc("compare", "x", "y", "--json")
    assert refused.code == 2
    assert "these are 2 questions" in refused.err


def test_what_is_left_out_is_said(ppoc, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    found = ppoc("compare", "t.csv", "nowhere")
    assert found.code == 0
    assert "note: nowhere is left out: there is no such file or folder" in found.out


def test_comparing_imports_no_torch(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    code = (
        "import sys; sys.argv = ['ppoc', 'compare', 't.csv']\n"
        "from ppoc.cli.app import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, 'scipy' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.stdout.rstrip().endswith("False False"), found.stderr
