"""CSV files of other libraries and of strangers."""

import json
import time

import numpy as np
import pytest

from ppoc.formats.reading import FormatError
from ppoc.reporting import csv_files
from ppoc.reporting.csv_files import read_csv, read_monitors, running_mean
from ppoc.reporting.csv_names import chosen, of_path
from ppoc.reporting.inputs import read


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def brief(run):
    return run.setting, run.task, run.seed, run.score


def test_a_row_for_each_run(tmp_path):
    path = written(
        tmp_path / "table.csv", "algo,env,seed,return\nppo,A,1,3\nppo,A,2,nan\na2c,A,1,0\n"
    )
    runs = read_csv(path, {}, [])
    assert list(map(brief, runs)) == [
        *(("ppo", "A", 1, 3.0), ("ppo", "A", 2, None)),
        ("a2c", "A", 1, 0.0),
    ]
    assert runs[1].reason == "its return is no number"


def test_a_row_for_each_step_in_any_order(tmp_path):
    rows = [f"ppo,{seed},{step},{step * seed}" for step in range(40) for seed in (1, 2)]
    path = written(tmp_path / "t.csv", "\n".join(["exp_name,seed,global_step,return", *rows[::-1]]))
    first = next(run for run in read_csv(path, {}, []) if run.seed == 1)
    assert first.curve.steps.tolist() == list(range(40))
    assert first.score == np.mean([36, 37, 38, 39])  # the last tenth


def test_columns_that_the_user_names(tmp_path):
    path = written(tmp_path / "t.csv", "x;y\n")
    with pytest.raises(FormatError, match=r"no column is known to hold returns .* it has x;y"):
        read_csv(path, {}, [])
    path = written(tmp_path / "t.csv", "who,what,n\nme,3,1\nme,4,2\n")
    runs = read_csv(path, chosen("setting=who, return=what, seed=n"), [])
    assert list(map(brief, runs)) == [("me", "", 1, 3.0), ("me", "", 2, 4.0)]
    with pytest.raises(FormatError, match="no column 'z'; it has who, what, n"):
        read_csv(path, chosen("return=z"), [])
    with pytest.raises(FormatError, match="does not name a column"):
        chosen("colour=red")
    with pytest.raises(FormatError, match="does not name a column"):
        chosen("return")


def test_rows_without_steps_or_seeds_are_asked_about(tmp_path):
    path = written(tmp_path / "t.csv", "algo,return\nppo,1\nppo,2\n")
    with pytest.raises(FormatError, match="no column says their steps"):
        read_csv(path, {}, [])


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("rollout/ep_len_mean,rollout/ep_rew_mean,time/total_timesteps", "9,{y},{x}"),  # SB3
        ("done,episode_reward_mean,timesteps_total,seed", "False,{y},{x},3"),  # RLlib, old
        ("env_runners/episode_return_mean,num_env_steps_sampled_lifetime", "{y},{x}"),  # and new
        ("eprewmean,misc/total_timesteps", "{y},{x}"),  # OpenAI's baselines
        ("Epoch\tAverageEpRet\tTotalEnvInteracts", "1\t{y}\t{x}"),  # Spinning Up
    ],
)
def test_progress_files_are_read_by_known_columns(tmp_path, header, row):
    rows = [row.format(x=100 * n, y="" if n == 0 else n / 2) for n in range(21)]
    path = written(tmp_path / "ppo" / "seed-3" / "progress.csv", "\n".join([header, *rows]))
    notes = []
    (run,) = read_csv(path, {}, notes)
    assert (run.setting, run.seed) == ("ppo", 3)
    assert run.curve.steps.tolist() == [100 * n for n in range(1, 21)]
    assert run.score == (10 + 9.5) / 2
    assert "1 of 21 points are no numbers" in notes[0]


def test_monitor_files_of_one_run_are_joined_by_time(tmp_path):
    def monitor(start, times, returns):
        head = json.dumps({"t_start": start, "env_id": "CartPole-v1"})
        return f"#{head}\nr,l,t\n" + "".join(
            f"{y},{10},{t}\n" for t, y in zip(times, returns, strict=True)
        )

    folder = tmp_path / "ppo" / "CartPole-v1_2"
    files = [
        written(folder / "0.monitor.csv", monitor(100.0, [1, 3], [1, 3])),
        written(folder / "1.monitor.csv", monitor(101.0, [1, 3], [2, 4]) + "torn,1\n"),
    ]
    notes = []
    run = read_monitors(files, notes)
    assert brief(run) == ("ppo", "CartPole-v1", 2, 2.5)
    assert run.curve.steps.tolist() == [10, 20, 30, 40]
    assert run.curve.values.tolist() == [1, 1.5, 2, 2.5]
    assert "1 lines are torn" in notes[0]
    given = read([folder])
    assert [brief(run) for run in given.runs] == [brief(run)]
    assert len(read(files).runs) == 1


def test_a_chart_of_weights_and_biases_has_a_column_for_each_run(tmp_path):
    names = [f"CartPole-v1__{exp}__{seed}__17" for exp in ("ppo", "ppo_wide") for seed in (1, 2)]
    columns = [
        f'"{name} - charts/episodic_return{end}"'
        for name in names
        for end in ("", "__MIN", "__MAX")
    ]
    rows = [f"{step}," + ",".join([f'"{step}"', '"0"', '"9"'] * 4) for step in range(3)]
    rows.append("3," + ",".join([""] * 12))
    path = written(tmp_path / "wandb.csv", "\n".join(['"global_step",' + ",".join(columns), *rows]))
    runs = read_csv(path, {}, [])
    assert [brief(run)[:3] for run in runs] == [
        *(("ppo", "CartPole-v1", 1), ("ppo", "CartPole-v1", 2)),
        *(("ppo_wide", "CartPole-v1", 1), ("ppo_wide", "CartPole-v1", 2)),
    ]
    assert runs[0].curve.steps.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("logs/ppo_seed3/progress.csv", ("ppo", 3)),
        ("logs/ppo/seed-3/progress.csv", ("ppo", 3)),
        ("logs/ppo/3/0.monitor.csv", ("ppo", 3)),
        ("a2c-s7.csv", ("a2c", 7)),
        ("ppo.csv", ("ppo", None)),
        ("runs/big net/progress.csv", ("big net", None)),
    ],
)
def test_a_file_of_one_run_is_called_as_its_place(path, expected):
    from pathlib import PurePath

    assert (of_path(PurePath(path)).setting, of_path(PurePath(path)).seed) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n",
        b"\0\0\0\0",
        b"return\0,step\n1,2\n",
        b"\xff\xfe\x00",
        b'return,step\n"1,2',
        b"#" + b"[" * 100_000,
        b"return," + b"x" * 300_000 + b"\n1,2\n",
        b"x" * 3_000_000,
        b'return\n"' + b"1" * 200_000,
        bytes(range(256)) * 100,
    ],
)
def test_files_of_strangers_are_refused_or_read(tmp_path, data):
    path = written(tmp_path / "x.csv", data)
    given = read([path])
    assert all(run.score is None or np.isfinite(run.score) for run in given.runs)
    assert given.notes or given.runs or data.startswith(b"return")
    assert all(len(note) < 1500 for note in given.notes)


def test_lines_with_nul_are_left_out(tmp_path):
    path = written(tmp_path / "x.csv", b"seed,return\n1,5\n2,\0\n3,7\n")
    assert [run.seed for run in read_csv(path, {}, [])] == [1, 3]


def test_what_is_too_much_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path / "x.csv", "seed,return\n" + "".join(f"{n},1\n" for n in range(200)))
    monkeypatch.setattr(csv_files, "MOST_RUNS", 100)
    with pytest.raises(FormatError, match="more than 100 runs"):
        read_csv(path, {}, [])
    monkeypatch.setattr(csv_files, "MOST_ROWS", 50)
    with pytest.raises(FormatError, match="more than 50 rows"):
        read_csv(path, {}, [])
    monkeypatch.setattr(csv_files, "LARGEST", 100)
    with pytest.raises(FormatError, match="larger than 100 bytes"):
        read_csv(path, {}, [])


def test_a_million_rows_take_seconds(tmp_path):
    steps = np.arange(500_000)
    rows = "".join(f"ppo,{seed},{step},1.5\n" for seed in (1, 2) for step in steps)
    path = written(tmp_path / "x.csv", f"algo,seed,step,return\n{rows}")
    begin = time.perf_counter()
    runs = read_csv(path, {}, [])
    assert time.perf_counter() - begin < 20
    assert [len(run.curve.steps) for run in runs] == [500_000] * 2


def test_pipes_are_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    given = read([tmp_path / "pipe.csv"])
    assert not given.runs
    assert "not a regular file" in given.notes[0]


def test_a_running_mean_by_hand():
    assert running_mean(np.array([1.0, 3, 5, 7]), 2).tolist() == [1, 2, 4, 6]
