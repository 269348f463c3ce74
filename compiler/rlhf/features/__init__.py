"""Features of a language model's module, in the order in which they fill its slots."""

from ppoc.compiler.emission.features import Feature
from ppoc.compiler.rlhf.features import losses, models, ppo, stages
from ppoc.compiler.rlhf.plan import RlhfPlan

FEATURES: tuple[type[Feature], ...] = (
    models.Contents,
    models.SeveralStages,
    models.OneStage,
    models.ByteTokenizer,
    models.BpeTokenizer,
    models.InheritedTokenizer,
    models.PretrainedTokenizer,
    models.PretrainedModel,
    models.NewModel,
    models.WholeWeights,
    stages.Rates,
    stages.ScaledRates,
    models.Dropout,
    models.HeldOut,
    stages.Sft,
    stages.LossOnAll,
    stages.LossOnResponses,
    stages.RewardModel,
    stages.RewardLearning,
    stages.PairsLoss,
    stages.RankingsLoss,
    stages.CenteredScores,
    stages.FreeScores,
    ppo.Ppo,
    models.Lora,
    models.LoraPolicies,
    models.LoraFromRun,
    models.PoliciesFromBase,
    models.Policies,
    losses.PolicyLoss,
    losses.ValueLoss,
    losses.Ratio,
    losses.SampledKl,
    losses.PlainAdvantages,
    losses.ClipFraction,
    ppo.Whitening,
    ppo.SeparateValues,
    ppo.SharedValues,
    ppo.EntropyBonus,
    ppo.EstimatedEntropy,
    ppo.OldValues,
    ppo.AdaptivePenalty,
    ppo.NormalizedScores,
    ppo.RawScores,
    ppo.TargetKl,
    ppo.Evaluation,
)
LISTS = ("imports", "loss_terms", "rollout_columns", "settings")


def features_of(plan: RlhfPlan) -> list[Feature]:
    """The features that a plan has."""
    return [feature(plan) for feature in FEATURES if feature.applies(plan)]
