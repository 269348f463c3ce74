"""Claims and notes of the offline reader, and what it leaves alone."""

import pytest

from ppoc.draft.agent.reader import read
from ppoc.draft.text.claims import MAX_CHARACTERS, RequestError


def fields(request, known=None):
    return {claim.path: claim.value for claim in read(request, known).claims}


def notes(request):
    return " | ".join(f"{n.kind}: {n.words}: {n.text}" for n in read(request).notes)


@pytest.mark.parametrize(
    ("request_", "path", "value"),
    [
        ("clip 0.1", "losses.policy.epsilon", 0.1),
        ("a value clip of 0.3", "losses.value.clip", 0.3),
        ("clip gradients at 0.7", "optimizer.max_grad_norm", 0.7),
        ("no gradient clipping", "optimizer.max_grad_norm", None),
        ("KL 0.02", "update.target_kl", 0.02),
        ("TRPO with KL 0.02", "optimizer.trust_region.kl_limit", 0.02),
        ("PPO with an adaptive KL penalty, KL 0.02", "losses.policy.kl_target", 0.02),
        ("8 actors with a horizon of 128", "update.rollout_steps", 1024),
        ("a horizon of 2048", "update.rollout_steps", 2048),
        ("2048 steps per update, 32 minibatches", "update.minibatch_size", 64),
        ("minibatches of 32", "update.minibatch_size", 32),
        ("critic three times the actor's rate", "optimizer.critic.lr", 9e-4),
        ("lr of 3e-4; critic learning rate twice that", "optimizer.critic.lr", 6e-4),
        ("lr 3e-4, critic at half of it", "optimizer.critic.lr", 1.5e-4),
        ("lr 1e-4, the critic's three times that", "optimizer.critic.lr", 3e-4),
        ("lr 1e-4, critic 10x that", "optimizer.critic.lr", 1e-3),
        ("lr 1e-4. The critic's is ten times the actor's", "optimizer.critic.lr", 1e-3),
        ("lr 1e-4; value function learning rate: double it", "optimizer.critic.lr", 2e-4),
        ("actor lr 1e-4, the critic gets the same", "optimizer.critic.lr", 1e-4),
        ("lr 1e-4 and the same learning rate for the critic", "optimizer.critic.lr", 1e-4),
        ("critic lr 1e-3, actor lr a tenth of that", "optimizer.actor.lr", 1e-4),
        ("lr 3e-4 for the actor and half that for the critic", "optimizer.critic.lr", 1.5e-4),
        ("lr 3e-4 for the actor, twice as much for the critic", "optimizer.critic.lr", 6e-4),
        ("lr 1e-4, critic lr twice that of the actor", "optimizer.critic.lr", 2e-4),
        ("lr 1e-4, critic twice as fast as the actor", "optimizer.critic.lr", 2e-4),
        ("actor and critic with the same learning rate of 1e-4", "optimizer.actor.lr", 1e-4),
        ("five epochs are not enough, use 15", "update.epochs", 15),
        ("don't use 5 epochs, use 15", "update.epochs", 15),
        ("5 epochs are too few, take 15 epochs", "update.epochs", 15),
        ("an lr of 0.001 is too high; 3e-4 please", "optimizer.actor.lr", 3e-4),
        ("half the usual learning rate", "optimizer.actor.lr", 1.5e-4),
        ("a little entropy", "losses.entropy.beta", 0.01),
        ("no entropy bonus", "losses.entropy.beta", 0.0),
        ("make the cheetah run", "env.id", "HalfCheetah-v5"),
        ("lunar lander continuous", "env.id", "LunarLanderContinuous-v3"),
        ("cart poel", "env.id", "CartPole-v1"),
        ("2x256", "networks.critic.layers", [256, 256]),
        ("actor 64 64, critic 128 128", "networks.critic.layers", [128, 128]),
        ("clip 0.3, no wait, make that 0.2", "losses.policy.epsilon", 0.2),
        ("advantages are not normalised", "advantage.normalize", False),
        ("REINFORCE with a mean baseline", "algorithm", "reinforce-mean-baseline"),
        ("use TRPO rather than PPO", "algorithm", "trpo"),
    ],
)
def test_a_field_is_read(request_, path, value):
    assert fields(request_)[path] == value


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("recurrent ppo with an lstm of 128 units", {"actor.memory.size": 128}),
        ("LSTM(64)", {"actor.memory.kind": "lstm", "critic.memory.size": 64}),
        ("recurrent policy, hidden size 256", {"actor.memory.size": 256, "actor.layers": None}),
        ("a GRU with 32 cells", {"critic.memory.kind": "gru", "critic.memory.size": 32}),
        ("a 128-unit LSTM for 1M steps", {"actor.memory.size": 128}),
        ("LSTM, 1M steps", {"actor.memory.size": None}),
        ("LSTM with 2 layers of 32", {"actor.memory.size": None, "actor.layers": [32, 32]}),
        ("only the actor has an lstm", {"actor.memory.kind": "lstm", "critic.memory.kind": None}),
        ("generalised state-dependent exploration", {"actor.std": "gsde"}),
        ("use_sde=True, sde_sample_freq=4", {"actor.std": "gsde", "actor.resample_every": 4}),
        ("tanh-squashed policy", {"actor.distribution": "tanh-gaussian", "actor.activation": None}),
        ("a Beta policy", {"actor.distribution": "beta"}),
        ("Xavier initialisation", {"actor.init": "xavier", "critic.init": "xavier"}),
        ("Kaiming init for the critic", {"critic.init": "kaiming", "actor.init": None}),
        ("orthogonal initialization", {"actor.init": "orthogonal"}),
        ("from pixels, impala cnn", {"actor.body": "impala-cnn"}),
        ("from pixels with the nature cnn", {"critic.body": "nature-cnn"}),
        ("recurrent, with a GRU", {"actor.memory.kind": "gru"}),
    ],
)
def test_networks_are_read(request_, said):
    found = fields(f"{request_}, on CarRacing with PPO")
    assert not notes(f"{request_}, on CarRacing with PPO")
    assert {path: found.get(f"networks.{path}") for path in said} == said


@pytest.mark.parametrize(
    ("request_", "path", "value"),
    [
        ("AdamW", "optimizer.actor.kind", "adamw"),
        ("RMSprop, rmsprop alpha 0.95", "optimizer.actor.decay", 0.95),
        ("SGD with momentum 0.9", "optimizer.actor.momentum", 0.9),
        ("weight decay 0.01", "optimizer.actor.weight_decay", 0.01),
        ("a cosine learning rate", "optimizer.actor.schedule", "cosine"),
        ("the clip range follows a cosine", "losses.policy.schedule", "cosine"),
        ("maskable ppo", "algorithm", "ppo"),
        ("invalid action masking", "env.action_masks", True),
        ("action repeat of 2", "env.frame_skip", 2),
        ("grey-scale images", "env.grayscale", True),
        ("resize to 64×64", "env.resize", [64, 64]),
        ("84x84 pixels", "env.resize", [84, 84]),
        ("velocities hidden", "env.wrappers", ["MaskVelocity"]),
        ("without its velocities", "env.wrappers", ["MaskVelocity"]),
    ],
)
def test_words_of_the_language_are_read(request_, path, value):
    assert fields(f"PPO on CarRacing, {request_}")[path] == value


def test_a_recurrent_request_is_ppo_with_a_critic_of_its_own_memory():
    found = fields("recurrent ppo with an lstm of 128 units on cartpole with velocities hidden")
    memory = {"kind": "lstm", "size": 128}
    assert found == {
        "algorithm": "ppo",
        "env.id": "CartPole-v1",
        "env.wrappers": ["MaskVelocity"],
        **{f"networks.{r}.memory.{k}": v for r in ("actor", "critic") for k, v in memory.items()},
    }


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ("soft actor-critic on Pendulum", "not a policy-gradient method ppoc compiles"),
        ("PPO with a transformer", "no attention among the networks"),
        ("RLHF on a language model", "not in ppoc yet"),
        ("PPO on CartPole with gamma 1.7", "less than or equal to 1"),
        ("PPO on CartPole with zero environments", "greater than or equal to 1"),
        ("PPO on StarCraft II", "no such environment"),
        ("PPO on my robot arm", "no environment of this name"),
        ("PPO with gamma 0.9 and gamma 0.99", "given twice"),
        ("PPO with a large learning rate", "no number is given"),
        ("PPO with lr 1e-4, critic learning rate a bit off", "`optimizer.critic.lr` is as"),
        ("PPO, learning rate whatever works", "`optimizer.actor.lr` stays 0.0003"),
        ("PPO, a value clip as in the paper", "`losses.value.clip` stays unset"),
        ("PPO with early stopping", "`update.target_kl` stays unset"),
        ("PPO, 8 envs and twice that many minibatches", "`update.minibatch_size` stays 64"),
        ("PPO, 5 epochs are too few", "turned down, and no other given"),
        ("PPO with three seeds", "ppoc run SPEC --seed 3"),
        ("PPO with clip in {0.1, 0.2}", "-s losses.policy.epsilon=0.2"),
        ("PPO with LunarLander-v2", "newest version: LunarLander-v3"),
        ("PPO for 300 episodes", "not episodes"),
    ],
)
def test_what_cannot_be_said_is_noted(request_, words):
    assert words in notes(request_)


def test_a_negated_impossibility_is_no_impossibility():
    assert "curiosity" in notes("PPO on Hopper with curiosity")
    assert "curiosity" not in notes("PPO on Hopper without curiosity")


def test_a_number_of_what_cannot_be_is_no_value():
    request = "PPO on CartPole with a replay buffer of 100000 transitions, 8 hours, 16 GB"
    assert fields(request) == {"algorithm": "ppo", "env.id": "CartPole-v1"}


def test_the_present_values_are_what_edits_refer_to():
    known = {"algorithm": "ppo", "losses.entropy.beta": 0.03, "env.num_envs": 4}
    assert fields("double the entropy", known) == {"losses.entropy.beta": 0.06}
    assert fields("horizon 100", known) == {"update.rollout_steps": 400}


def test_evidence_is_the_words_of_the_request():
    reading = read("Train PPO on Hopper with a learning rate of 3e-4")
    claim = reading.claim("optimizer.actor.lr")
    assert reading.words(claim.start, claim.end) == "learning rate of 3e-4"


def test_a_book_is_no_request():
    with pytest.raises(RequestError, match="characters"):
        read("PPO " * MAX_CHARACTERS)


@pytest.mark.parametrize(
    "request_", ["every 5", "CartPole with ppo, every 5", "every", "every 5000"]
)
def test_every_so_many_steps_of_nothing_is_a_question(request_):
    notes = read(request_).notes
    assert any(note.text.startswith("every so many steps what?") for note in notes)
