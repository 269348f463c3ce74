"""Recorded functions, with a recording that a CPU can make: it runs the function again."""

import pytest
import torch

from ppoc.runtime.learning import graphs


@pytest.fixture
def recorded(monkeypatch):
    """Make a CudaGraphCall that computes into the results of its recording, as a graph does."""

    def record(run):
        results = run()

        def replay():
            for result, new in zip(results, run(), strict=True):
                result.copy_(new)

        return results, replay

    monkeypatch.setattr(graphs, "record", record)
    return graphs.CudaGraphCall


@pytest.mark.parametrize("target_kl", ["null", "0.02"])
def test_an_updates_recording_is_the_update(module_of, recorded, target_kl):
    module = module_of("ppo/halfcheetah", f"update.target_kl={target_kl}")
    size = module.BATCH_SIZE
    generator = torch.Generator().manual_seed(3)
    columns = [torch.randn(size, generator=generator) for _ in module.Batch._fields[2:]]
    shapes = ((size, 17), (size, 6))
    batch = module.Batch(*(torch.randn(s, generator=generator) for s in shapes), *columns)
    rest = [torch.tensor(3e-4)]
    if target_kl != "null":
        rest = [torch.tensor(True), *rest]
    learner = found = module.initial_learner(1)
    step = None
    for start in range(0, 320, 64):
        indices = torch.arange(start, start + 64)
        step = step or recorded(module.update, (found, batch, indices, *rest))
        learner, *_, expected = module.update(learner, batch, indices, *rest)
        found, *_, metrics = step(found, batch, indices, *rest)
        assert type(found) is module.TrainState
        torch.testing.assert_close(metrics, expected, rtol=0, atol=0)
        torch.testing.assert_close(found, learner, rtol=0, atol=0)


def test_what_a_call_returned_is_left_alone_by_the_next(recorded):
    step = recorded(lambda x, y: (x + y, x * y), (torch.ones(3), torch.ones(3)))
    first = step(torch.ones(3), torch.ones(3))
    second = step(2 * torch.ones(3), torch.ones(3))
    assert [x[0].item() for x in (*first, *second)] == [2.0, 1.0, 3.0, 2.0]
    single = recorded(torch.sin, (torch.zeros(2),))
    assert torch.equal(single(torch.ones(2)), torch.ones(2).sin())


def test_only_what_changed_is_copied(recorded):
    class Counted(torch.Tensor):
        reads = 0

        @classmethod
        def __torch_function__(cls, function, types, arguments=(), options=None):
            if function is torch.Tensor.copy_ and isinstance(arguments[1], Counted):
                Counted.reads += 1
            return super().__torch_function__(function, types, arguments, options or {})

    batch = torch.ones(4).as_subclass(Counted)
    step = recorded(lambda x, y: (x + y).sum(), (torch.ones(4), torch.ones(4)))
    for value in range(5):
        assert step(value * torch.ones(4), batch).item() == 4 * (value + 1)
    assert Counted.reads == 1


def test_a_rollouts_recording_is_the_rollout(module_of, recorded):
    module = module_of("ppo/cartpole", "training={device: cuda, compile: never}")
    generator = torch.Generator().manual_seed(0)
    params = module.initial_parameters(1)
    state = found = module.new_episodes(generator)
    chunk = None
    for _ in range(3):
        draws = module.draw(generator)
        chunk = chunk or recorded(module.collect, (params, found, draws))
        state, expected = module.collect(params, state, draws)
        found, rollout = chunk(params, found, draws)
        assert type(rollout) is module.Rollout
        torch.testing.assert_close(rollout, expected, rtol=0, atol=0)
        torch.testing.assert_close(found, state, rtol=0, atol=0)
