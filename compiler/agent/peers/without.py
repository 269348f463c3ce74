"""Names that other tools have for what ppoc has not, of an agent, and why.

Why → names, as in ppoc.compiler.agent.peers.names.
"""

from collections.abc import Mapping

NO_REPLAY = (
    "ppoc has none: a replay buffer and target networks are for learning off-policy; earlier "
    "rollouts are learnt from again with `update.buffer`"
)
PROCESSES = (
    "ppoc has no worker processes: `env.num_envs` is all environments together, `env.threads` "
    "those of envpool"
)
BOUNDED_ERROR = (
    "ppoc has no bound of the squared error by that name: as `losses.value.objective` write "
    "min((V - R)**2, BOUND); `losses.value.clip` is how far values may move"
)
LOGGED = "ppoc has none: metrics go to the run folder, and to TensorBoard, by themselves"
FILMED = "ppoc has none: `ppoc eval --video` films a run"
AUTOMATIC = "ppoc has none: `training.device` auto takes a GPU where there is one"
FRAMEWORK = "ppoc has none: modules are of torch"
ROUTES = (
    "ppoc has no such section: its values go to `update`, `optimizer`, `losses` and `advantage`"
)
ALONE = "ppoc has none: it learns from the environment's reward alone"

WITHOUT: Mapping[str, str] = {
    "ppoc has none: one process trains one agent": (
        "distributed world_size ddp num_gpus_per_worker nproc_per_node"
    ),
    "ppoc has none: advantages are estimated once for a rollout": (
        "recompute_adv recompute_advantage"
    ),
    "ppoc has none: `ppoc run --out` names the folder": (
        "save_path model_dir data_dir output_dir out save_dir"
    ),
    "ppoc has none: layers are linear, with an activation; `networks.actor.body` custom takes "
    "a module of yours": (
        "layer_norm dropout batch_norm use_layer_norm attention use_attention transformer gtrxl"
    ),
    "ppoc has none: advantages are estimated to the end of a rollout, whose "
    "`update.rollout_steps` over `env.num_envs` are the steps of each environment": "time_horizon",
    BOUNDED_ERROR: "vf_clip_param",
    "ppoc has none: values are not scaled; rewards are, with `env.normalize.rewards`": (
        "normalize_value value_normalization return_normalization"
    ),
    "ppoc has none: the value of the state after is always added where time runs out": (
        "value_bootstrap time_limit_bootstrap handle_timeouts"
    ),
    "ppoc has none of its own: name TransformReward or a wrapper of yours in `env.wrappers`": (
        "reward_scaling reward_shaper reward_scale reward_scaler rewards_shaper"
    ),
    PROCESSES: (
        "num_workers num_env_runners num_rollout_workers n_workers num_cpu num_processes workers "
        "num_learners num_cpus_per_env_runner"
    ),
    AUTOMATIC: "num_gpus num_gpus_per_learner gpus sim_device rl_device",
    FRAMEWORK: "framework framework_str tf backend_framework",
    "ppoc has none: a run with a seed is the same each time on the same device": (
        "torch_deterministic deterministic_torch cudnn_deterministic"
    ),
    LOGGED: (
        "tensorboard_log verbose log_interval track wandb_project_name wandb wandb_entity log_dir "
        "summary_freq logger tensorboard use_wandb logging_steps report_to stats_window_size "
        "log_freq print_freq log_every"
    ),
    FILMED: "capture_video video record_video save_video render render_mode",
    NO_REPLAY: (
        "learning_starts train_freq gradient_steps target_update_interval replay_buffer_size "
        "exploration_fraction target_network_update_freq polyak prioritized_replay "
        "replay_buffer_class replay_buffer_kwargs replay_buffer_config exploration_final_eps "
        "exploration_initial_eps tau_target target_entropy policy_delay update_after start_steps "
        "update_every memory_capacity num_atoms replay_size buffer_init_steps learn_alpha "
        "init_entcoef n_quantiles store_buffer target_update_freq epsilon_decay epsilon_start "
        "epsilon_end target_network_frequency policy_frequency double_q n_critics num_quantiles "
        "target_update prioritized update_per_step action_noise ou_noise"
    ),
    ROUTES: (
        "hyperparameters hyperparams params config training_params train_config agent trainer ppo "
        "runner"
    ),
    "ppoc has none: `algorithm` names the preset": (
        "trainer_type algo alg algorithm_name algo_name behaviors agent_class"
    ),
    ALONE: "reward_signals extrinsic curiosity intrinsic rnd gail rnd_strength icm",
    "ppoc has none: minibatches are always drawn in a new order": (
        "shuffle shuffle_sequences shuffle_minibatches"
    ),
    "ppoc has none: weights, moments and gradients are float32": (
        "mixed_precision precision amp fp16 bf16 dtype"
    ),
    "ppoc has none: one policy learns, of one agent": (
        "self_play num_agents multi_agent policies multiagent policies_to_train policy_mapping_fn"
    ),
    "ppoc has none: it saves what `ppoc run --resume` needs": (
        "load_model resume restore load_checkpoint checkpoint_path keep_checkpoints save_model "
        "init_path trained_agent load_run"
    ),
}
