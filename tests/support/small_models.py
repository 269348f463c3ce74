"""Language models of a few thousand weights."""

from ppoc.runtime import rlhf


def a_model(architecture="gpt2", **sizes):
    """A new model that is used, not trained; `sizes` are arguments of `rlhf.new_model`."""
    usual = {"layers": 2, "heads": 2, "hidden_size": 32, "context": 48, "vocabulary": 30}
    return rlhf.new_model(architecture, **{**usual, "dropout": 0.0, "seed": 0, **sizes}).eval()
