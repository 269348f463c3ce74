"""The runtime of modules of `kind: rlhf`: data, tokens, models, generation, stages."""

from ppoc.runtime.interface import (
    AnswerEvaluation,
    Data,
    Generation,
    LanguageModel,
    LanguageModelInterface,
)
from ppoc.runtime.rlhf.compiled import compile_blocks
from ppoc.runtime.rlhf.data import read_demonstrations
from ppoc.runtime.rlhf.forward import hidden_states
from ppoc.runtime.rlhf.generation import generate
from ppoc.runtime.rlhf.learning import (
    batches,
    by_rows,
    demonstrations,
    mean_accuracy,
    mean_loss,
    preferences,
    prompts,
    raw_scores,
)
from ppoc.runtime.rlhf.models import (
    adamw,
    add_lora,
    load,
    load_optimizer,
    merge_lora,
    new_model,
    optimizer_state,
    pretrained_model,
    trained,
    without_lora,
)
from ppoc.runtime.rlhf.stage import STAGES, Stage, rng, saved, seed_of
from ppoc.runtime.rlhf.tokenizers import (
    Tokenizer,
    bpe_tokenizer,
    byte_tokenizer,
    pretrained_tokenizer,
)
from ppoc.runtime.rlhf.tokens import (
    Limits,
    Padded,
    Rankings,
    Rows,
    by_ranking,
    draw,
    pad,
    pad_rankings,
    pair_accuracy,
    rows,
)
from ppoc.runtime.run.launch import main

__all__ = [
    "AnswerEvaluation",
    "Data",
    "Generation",
    "LanguageModel",
    "LanguageModelInterface",
    "Limits",
    "Padded",
    "Rankings",
    "Rows",
    "STAGES",
    "Stage",
    "Tokenizer",
    "adamw",
    "add_lora",
    "batches",
    "bpe_tokenizer",
    "by_ranking",
    "by_rows",
    "byte_tokenizer",
    "compile_blocks",
    "demonstrations",
    "draw",
    "generate",
    "hidden_states",
    "load",
    "load_optimizer",
    "main",
    "mean_accuracy",
    "mean_loss",
    "merge_lora",
    "new_model",
    "optimizer_state",
    "pad",
    "pad_rankings",
    "pair_accuracy",
    "preferences",
    "pretrained_model",
    "pretrained_tokenizer",
    "prompts",
    "raw_scores",
    "read_demonstrations",
    "rng",
    "rows",
    "saved",
    "seed_of",
    "trained",
    "without_lora",
]
