"""Names of other tools: every hint is right where it stands, and a far word is no misspelling."""

import re
from collections import Counter

import pytest

from ppoc.compiler.agent.kind import KIND as CONTROL
from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.peers import in_sections as peers_in_sections
from ppoc.compiler.agent.peers import names as peers
from ppoc.compiler.agent.peers import without as peers_without
from ppoc.compiler.agent.peers.other_algorithms import GROUPS as ALGORITHMS
from ppoc.compiler.agent.peers.other_algorithms import SAME, unknown_algorithm
from ppoc.compiler.agent.presets import presets
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.suggest import VALUES, did_you_mean, misspelt, places, unknown_key
from ppoc.compiler.resolve import resolve_text
from ppoc.compiler.rlhf import peers as rlhf_peers
from ppoc.compiler.rlhf.kind import KIND as RLHF

# Tool → name (after `@`, the section it is written in) → what the hint must name; "" for no key.
AGENT = {
    "Stable-Baselines3": """
        learning_rate=optimizer.actor.lr n_steps=update.rollout_steps
        batch_size=update.minibatch_size n_epochs=update.epochs gae_lambda=advantage.lambda
        clip_range=losses.policy.epsilon clip_range_vf=losses.value.clip
        normalize_advantage=advantage.normalize ent_coef=losses.entropy.beta
        vf_coef=losses.value.coefficient max_grad_norm=optimizer.max_grad_norm
        use_sde=networks.actor.std sde_sample_freq=networks.actor.resample_every
        target_kl=update.target_kl tensorboard_log= policy_kwargs=networks.actor verbose=
        n_envs=env.num_envs n_timesteps=training.total_steps net_arch=networks.actor.layers
        activation_fn=networks.actor.activation ortho_init=networks.actor.init
        learning_starts=update.buffer train_freq=update.buffer gradient_steps=update.buffer
        squash_output=networks.actor.distribution env_wrapper=env.wrappers
        frame_stack=env.frame_stack eval_freq=evaluation.every
        n_eval_episodes=evaluation.episodes norm_obs=env.normalize.observations
        norm_reward=env.normalize.rewards clip_obs=env.normalize.clip
        log_std_init=networks.actor.log_std_init total_timesteps=training.total_steps
        seed=training.seed device=training.device cg_max_steps=optimizer.trust_region
        cg_damping=optimizer.trust_region n_critic_updates=update.epochs
        lstm_hidden_size=networks.actor.memory buffer_size=update.rollout_steps""",
    "Stable-Baselines 2": """
        nminibatches=update.minibatch_size noptepochs=update.epochs lam=advantage.lambda
        cliprange=losses.policy.epsilon cliprange_vf=losses.value.clip
        timesteps_per_batch=update.rollout_steps max_kl=optimizer.trust_region
        vf_iters=update.epochs vf_stepsize=optimizer.critic.lr entcoeff=losses.entropy.beta
        act_fun=networks.actor.activation lr_schedule=optimizer.actor.schedule
        timesteps_per_actorbatch=update.rollout_steps optim_epochs=update.epochs
        optim_stepsize=optimizer.actor.lr optim_batchsize=update.minibatch_size""",
    "CleanRL": """
        num_steps=update.rollout_steps num_minibatches=update.minibatch_size
        update_epochs=update.epochs anneal_lr=optimizer.actor.schedule
        clip_coef=losses.policy.epsilon clip_vloss=losses.value.clip
        norm_adv=advantage.normalize exp_name=name torch_deterministic= cuda=training.device
        track= wandb_project_name= capture_video= env_id=env.id
        num_iterations=training.total_steps target_network_frequency=update.buffer
        policy_frequency=update.buffer""",
    "RLlib": """
        num_sgd_iter=update.epochs sgd_minibatch_size=update.minibatch_size
        vf_clip_param=losses.value.objective train_batch_size=update.rollout_steps
        num_epochs=update.epochs minibatch_size=update.minibatch_size lambda_=advantage.lambda
        kl_coeff=losses.policy.parameters entropy_coeff=losses.entropy.beta
        vf_loss_coeff=losses.value.coefficient clip_param=losses.policy.epsilon
        rollout_fragment_length=update.rollout_steps num_workers=env.num_envs
        num_env_runners=env.num_envs num_envs_per_env_runner=env.num_envs
        num_envs_per_worker=env.num_envs kl_target=losses.policy.kl_target
        grad_clip=optimizer.max_grad_norm use_gae=advantage.estimator
        use_critic=networks.critic batch_mode=update.sampling framework=
        num_gpus=training.device fcnet_hiddens=networks.actor.layers
        fcnet_activation=networks.actor.activation vf_share_layers=networks.critic.share
        use_lstm=networks.actor.memory max_seq_len=update.sequence_length
        env_config=env.options observation_filter=env.normalize.observations
        horizon=env.max_episode_steps train_batch_size_per_learner=update.rollout_steps
        evaluation_interval=evaluation.every evaluation_duration=evaluation.episodes
        num_learners=env.num_envs model=networks.actor""",
    "rl_games": """
        horizon_length=update.rollout_steps mini_epochs=update.epochs
        e_clip=losses.policy.epsilon tau=advantage.lambda critic_coef=losses.value.coefficient
        entropy_coef=losses.entropy.beta clip_value=losses.value.clip
        normalize_input=env.normalize.observations normalize_value=env.normalize.rewards
        value_bootstrap= kl_threshold=optimizer.actor.kl_target num_actors=env.num_envs
        max_epochs=training.total_steps grad_norm=optimizer.max_grad_norm
        truncate_grads=optimizer.max_grad_norm reward_shaper=env.wrappers
        seq_length=update.sequence_length save_frequency=training.checkpoint_every
        units=networks.actor.layers mixed_precision= params=update config=update""",
    "rsl_rl and skrl": """
        num_steps_per_env=update.rollout_steps num_learning_epochs=update.epochs
        num_mini_batches=update.minibatch_size desired_kl=optimizer.actor.kl_target
        value_loss_coef=losses.value.coefficient use_clipped_value_loss=losses.value.clip
        init_noise_std=networks.actor.log_std_init max_iterations=training.total_steps
        actor_hidden_dims=networks.actor.layers rollouts=update.rollout_steps
        learning_epochs=update.epochs mini_batches=update.minibatch_size
        ratio_clip=losses.policy.epsilon discount_factor=advantage.gamma
        value_loss_scale=losses.value.coefficient entropy_loss_scale=losses.entropy.beta
        grad_norm_clip=optimizer.max_grad_norm""",
    "ML-Agents": """
        time_horizon=update.rollout_steps beta=losses.entropy.beta
        hidden_units=networks.actor.layers num_layers=networks.actor.layers
        max_steps=training.total_steps num_epoch=update.epochs lambd=advantage.lambda
        epsilon=losses.policy.epsilon learning_rate_schedule=optimizer.actor.schedule
        trainer_type= hyperparameters=update network_settings=networks.actor reward_signals=
        summary_freq= memory_size=networks.actor.memory normalize=env.normalize self_play=
        behaviors= max_steps@env=env.max_episode_steps
        beta@losses.value=losses.value.coefficient""",
    "TorchRL": """
        frames_per_batch=update.rollout_steps sub_batch_size=update.minibatch_size
        clip_epsilon=losses.policy.epsilon entropy_bonus=losses.entropy.beta
        critic_coeff=losses.value.coefficient lmbda=advantage.lambda
        average_gae=advantage.normalize total_frames=training.total_steps
        num_cells=networks.actor.layers""",
    "Tianshou": """
        layer_norm=networks.actor.body dual_clip=losses.policy.objective
        reward_norm=env.normalize.rewards action_scaling=networks.actor.distribution
        recompute_advantage= output_dir= num_threads=env.threads
        step_per_collect=update.rollout_steps repeat_per_collect=update.epochs
        eps_clip=losses.policy.epsilon rew_norm=env.normalize.rewards
        reward_normalization=env.normalize.rewards advantage_normalization=advantage.normalize
        value_clip=losses.value.clip training_num=env.num_envs test_num=evaluation.episodes
        max_epoch=training.total_steps step_per_epoch=training.total_steps
        hidden_sizes=networks.actor.layers""",
    "PufferLib": """
        bptt_horizon=update.sequence_length vf_clip_coef=losses.value.clip
        max_minibatch_size=update.minibatch_size vtrace_rho_clip=advantage.rho_clip
        checkpoint_interval=training.checkpoint_every adam_eps=optimizer.actor.epsilon""",
    "Spinning Up": """
        steps_per_epoch=update.rollout_steps pi_lr=optimizer.actor.lr
        vf_lr=optimizer.critic.lr train_pi_iters=update.epochs train_v_iters=update.epochs
        clip_ratio=losses.policy.epsilon max_ep_len=env.max_episode_steps
        epochs=training.total_steps ac_kwargs=networks.actor polyak=update.buffer
        damping_coeff=optimizer.trust_region backtrack_iters=optimizer.trust_region
        save_freq=training.checkpoint_every env_name=env.id""",
    "places": """
        coefficient@losses.entropy=losses.entropy.beta coef@losses.entropy=losses.entropy.beta
        coefficient@losses.policy=losses.entropy.beta clip@losses.policy=losses.policy.epsilon
        epsilon@losses.value=losses.value.clip objective@losses.entropy=losses.entropy.beta
        clip@losses=losses.policy.epsilon lr@optimizer=optimizer.actor.lr
        eps@optimizer.actor=optimizer.actor.epsilon eps@optimizer=optimizer.actor.epsilon
        horizon@env=env.max_episode_steps kwargs@env=env.options
        batch_size@update=update.minibatch_size n_steps@update=update.rollout_steps
        distribution@networks.critic=networks.actor.distribution
        layers@networks=networks.actor.layers steps@training=training.total_steps
        lambda=advantage.lambda activation=networks.actor.activation betas@optimizer.actor=
        num_workers@env=env.num_envs freq@evaluation=evaluation.every
        beta@losses.policy=losses.entropy.beta response_length= model_name_or_path=""",
}  # fmt: skip
RLHF_NAMES = """
    per_device_train_batch_size=ppo.minibatch_size num_train_epochs=sft kl_coef=ppo.kl.beta
    cliprange=ppo.losses.policy.epsilon cliprange_value=ppo.losses.value.clip
    vf_coef=ppo.losses.value.coefficient response_length=ppo.generation.max_new_tokens
    missing_eos_penalty=ppo.rewards.missing_end gradient_accumulation_steps=ppo.minibatch_size
    learning_rate=ppo.optimizer warmup_steps=sft.optimizer
    whiten_rewards=ppo.rewards.normalize num_mini_batches=ppo.minibatch_size
    num_ppo_epochs=ppo.epochs total_episodes=ppo.episodes lora_r=model.lora.rank
    lam=ppo.advantage.lambda init_kl_coef=ppo.kl.beta sft_model_path=start.policy
    reward_model_path=start.reward ref_model= report_to= output_dir=
    max_prompt_length=data.max_prompt_tokens max_seq_length=data.max_prompt_tokens packing=
    trust_remote_code= bf16=model.dtype temperature=ppo.generation.temperature
    batch_size@ppo=ppo.rollout_size mini_batch_size@ppo=ppo.minibatch_size
    beta@ppo=ppo.kl.beta coefficient@ppo.losses.entropy=ppo.losses.entropy.beta dpo_beta=ppo
    reward_funcs=ppo eval_steps=evaluation.every save_steps=training.checkpoint_every
    num_generations=evaluation.samples micro_train_batch_size=
    generate_max_len=ppo.generation.max_new_tokens load_in_8bit=
    actor_learning_rate=ppo.optimizer.lr critic_learning_rate=ppo.value_optimizer.lr
    lr_scheduler_type=sft.optimizer adam_beta1= completion_only_loss=sft.loss_on
    seed=training.seed"""


def rows(text):
    for item in text.split():
        name, _, wanted = item.partition("=")
        name, _, section = name.partition("@")
        yield name, section.split(".") if section else [], wanted


def hint_of(kind, name, where):
    """The hint of `ppoc check`, by way of a document."""
    inner = f"{name}: 1"
    for section in reversed(where):
        inner = f"{section}: {{{inner}}}"
    head = "algorithm: ppo" if kind is CONTROL else "kind: rlhf"
    env = "env: {id: CartPole-v1}" if kind is CONTROL else "model: {id: gpt2}"
    if where[:1] == ["env"]:
        inner, env = inner.replace("env: {", "env: {id: CartPole-v1, "), ""
    with pytest.raises(SpecError) as caught:
        resolve_text(f"ppoc: 1\n{head}\n{env}\n{inner}\n", "spec.yaml")
    (found,) = [d for d in caught.value.diagnostics if d.code == "E010"]
    assert f"`{name}`" in found.message
    return found.help


def paths(model):
    """Every path of a language, with those of sections."""
    found = [path for inner in places(model).values() for path in inner]
    return {*found, *(p.rpartition(".")[0] for p in found)}


def named(hint):
    """The paths that a hint names; it may name a command too."""
    return [p for p in re.findall(r"`([^`]+)`", hint) if not p.startswith(("ppoc ", "kind:"))]


@pytest.mark.parametrize("tool", AGENT)
def test_names_of_other_tools_lead_to_their_keys(tool):
    for name, where, wanted in rows(AGENT[tool]):
        hint = hint_of(CONTROL, name, where)
        assert "did you mean" not in hint, (name, hint)
        if wanted:
            assert wanted in named(hint), (name, hint)
        else:
            assert "ppoc has" in hint, (name, hint)


def test_names_of_language_models_tools_lead_to_their_keys():
    for name, where, wanted in rows(RLHF_NAMES):
        hint = hint_of(RLHF, name, where)
        if hint == f"did you mean `{wanted.rpartition('.')[2]}`?":
            continue
        if hint == f"did you mean `{wanted.rpartition('.')[2]}`?":
            continue
        if hint == f"did you mean `{wanted.rpartition('.')[2]}`?":
            continue
        assert "did you mean" not in hint, (name, hint)
        assert (wanted in named(hint)) if wanted else ("ppoc has none" in hint), (name, hint)


@pytest.mark.parametrize("kind", [CONTROL, RLHF], ids=lambda kind: kind.name)
def test_every_hint_names_keys_that_there_are(kind):
    known = paths(kind.model)
    for name, hint in kind.peers.items():
        assert set(named(hint)) <= known, (name, hint)
        # No name hides the key itself, where a key of that name is allowed.
        assert name not in kind.model.model_fields or name == "kind", name


def test_no_name_is_in_two_groups():
    for groups in (
        [peers.GROUPS, peers_without.WITHOUT, peers_in_sections.SECTIONS],
        [rlhf_peers.GROUPS],
        [ALGORITHMS],
    ):
        every = [names for group in groups for names in group.values()]
        counts = Counter(name for names in every for name in names.split())
        assert [name for name, count in counts.items() if count > 1] == []


SLIPS = {
    "epochz": "epochs", "epoch": "epochs", "epsilom": "epsilon", "Epsilon": "epsilon",
    "minibatchsize": "minibatch_size", "minibatch-size": "minibatch_size", "lamda": "lambda",
    "rolout_steps": "rollout_steps", "gama": "gamma", "rlfh": "rlhf", "optimiser": "optimizer",
    "trianing": "training", "bta": "beta", "trop": "trpo",
}  # fmt: skip
FAR = (
    *("num_workers networks", "num_steps num_envs", "train_batch_size minibatch_size"),
    *("warmup_steps rollout_steps", "max_steps max_episode_steps", "layer_norm layers"),
    *("selu elu", "selu silu", "nadam adam", "adamax adam", "sac a2c", "grpo trpo", "ppg ppo"),
    *("lr id", "n id", "std seed", "alpha gamma", "mode code", "rate ratio", "size side"),
)


def test_only_a_slip_of_the_finger_is_a_misspelling():
    for word, meant in SLIPS.items():
        assert misspelt(word, [meant, "another", "thing"]) == meant
    for pair in FAR:
        word, other = pair.split()
        assert misspelt(word, [other]) is None, pair
    assert did_you_mean("HalfCheeta-v5", ["HalfCheetah-v5"], cutoff=0.7)


def test_a_word_that_nobody_knows_gets_the_keys_that_there_are():
    for word in ("banana", "foo", "steps_done", "wibble", "thing", "xyz"):
        for where in ([], ["env"], ["losses", "entropy"], ["optimizer", "actor"], ["update"]):
            hint = hint_of(CONTROL, word, where)
            assert hint.startswith("the keys here are: "), (word, where, hint)


def test_a_section_written_with_dots_is_told_to_nest():
    hint = unknown_key("update.epochs", ["update"], CONTROL)
    assert hint == "keys nest: write `update: {epochs: …}`"


def test_algorithms_that_ppoc_has_not_get_a_reason():
    known, keys = set(presets()), paths(AgentSpec)
    for name in (
        *("sac", "td3", "dqn", "ddpg", "impala", "appo", "muzero", "SAC", "qr_dqn", "dreamer"),
        *("es", "mappo", "bc", "grpo", "a3c"),
    ):
        hint = unknown_algorithm(name, known)
        assert hint.startswith(f"{name} "), hint
        assert "did you mean" not in hint
    for name in SAME:
        assert name not in known
        offered = re.findall(r"`([^`]+)`", unknown_algorithm(name, known))
        assert offered
        assert set(offered) <= known | keys
    for names in ALGORITHMS.values():
        assert not known & set(names.split())
    assert unknown_algorithm("trop", known) == "did you mean `trpo`?"
    assert unknown_algorithm("PPO", known) == "did you mean `ppo`?"
    assert unknown_algorithm("qmix2", known) == ""


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("networks: {actor: {activation: swish}}", "did you mean `silu`?"),
        ("networks: {actor: {activation: ReLU}}", "did you mean `relu`?"),
        ("networks: {actor: {activation: selu}}", "one of: tanh"),
        ("training: {device: gpu}", "did you mean `cuda`?"),
        ("optimizer: {actor: {kind: nadam}}", "one of: adam"),
        ("networks: {actor: {distribution: normal}}", "did you mean `gaussian`?"),
        ("networks: {actor: {distribution: categorical}}", "one of: gaussian"),
    ],
)
def test_values_that_others_call_otherwise(line, help):
    with pytest.raises(SpecError) as caught:
        resolve_text(f"ppoc: 1\nalgorithm: ppo\nenv: {{id: CartPole-v1}}\n{line}\n", "spec.yaml")
    assert caught.value.diagnostics[0].help.startswith(help)
    assert all(ours not in VALUES for ours in VALUES.values())
