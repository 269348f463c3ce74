"""An experiment of the zoo, by its name, from the spec to its results."""

from ppoc.formats.experiment import read


def test_the_first_experiment_runs(ppoc, tmp_path):
    tiny = ("-s", "set.training.total_steps=512", "-s", "set.evaluation.episodes=1")
    done = ppoc("run", "experiments/entropy-cartpole", *tiny, "--seeds", "1", "--out", "few")
    assert done.code == 0, done.err
    record = read(tmp_path / "few")
    assert record.question == "Does an entropy bonus help PPO on CartPole?"
    assert (record.baseline, record.settings) == ("without", ["without", "small", "large"])
    assert [(run.setting, run.state, run.steps) for run in record.runs] == [
        (name, "finished", 512) for name in record.settings
    ]
    assert all(run.score is not None for run in record.runs)
