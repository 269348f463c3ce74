"""Names that other tools have for values of an agent, and where these go in a spec.

Of Stable-Baselines 2 and 3, RL Zoo, CleanRL, RLlib, rl_games, rsl_rl, skrl, ML-Agents, TorchRL,
Tianshou, PufferLib and Spinning Up. A hint is the path of a key, or a sentence where more is to be
said: what the unit is, which of two things is meant, or why there is no such key.
"""

from collections.abc import Mapping

from ppoc.compiler.agent.peers.in_sections import SECTIONS
from ppoc.compiler.agent.peers.without import WITHOUT
from ppoc.compiler.front.suggest import hints

PER_ENV = "ppoc calls it `update.rollout_steps`, over all environments: this times `env.num_envs`"
TOTAL = "ppoc calls it `update.rollout_steps`, over all environments together"
COUNTED = "ppoc has `update.minibatch_size`, in samples: `update.rollout_steps` over this number"
MINIBATCH = (
    "ppoc calls the samples of a gradient step `update.minibatch_size`; those of an iteration are "
    "`update.rollout_steps`"
)
ITERATIONS = (
    "ppoc counts `training.total_steps` in environment steps: this many iterations times "
    "`update.rollout_steps`"
)
HALVED = (
    "ppoc calls it `losses.value.coefficient`, of mean((V − R)²); where half of that is the loss, "
    "as in CleanRL, rl_games and PufferLib, write half"
)
CLIPPED_LIKE_RATIO = (
    "ppoc calls it `losses.value.clip`, a number: how far values may move, such as that of "
    "`losses.policy.epsilon`; null is off"
)
KL_RATE = "ppoc calls it `optimizer.actor.kl_target`, with `optimizer.actor.schedule` adaptive"
KL_WEIGHT = (
    "ppoc calls it kl_weight, of `losses.policy.parameters`, with the kl-penalty as "
    "`losses.policy.objective`"
)
SCHEDULE = "ppoc calls it `optimizer.actor.schedule`: constant, linear, cosine, or points"
LIMIT = "ppoc calls the time limit of an episode `env.max_episode_steps`"
HORIZON = (
    "ppoc calls the time limit of an episode `env.max_episode_steps`, and the steps of an "
    "iteration `update.rollout_steps`, which is of all environments together"
)
NETWORKS = "ppoc describes actor and critic in `networks.actor` and `networks.critic`"
WIDTHS = "ppoc calls it `networks.actor.layers`: a list of widths, and `networks.critic.layers`"
CELL = "ppoc calls it `networks.actor.memory`, such as {kind: lstm, size: 128}"
TANH = "ppoc writes it `networks.actor.distribution`: tanh-gaussian"
EVALUATED = "ppoc calls it `evaluation.every`, in environment steps"
EPISODES_ONLY = "ppoc calls it `evaluation.episodes`"

# Hint → the names that it is for.
GROUPS: Mapping[str, str] = {
    "ppoc clips Gaussian actions to their bounds; `networks.actor.distribution` scales them": (
        "action_scaling action_bound_method rescale_actions normalize_actions clip_actions"
    ),
    "ppoc takes it as a formula, `losses.policy.objective`": "dual_clip dual_clip_param",
    "ppoc takes it as a formula, `losses.value.objective`": (
        "huber_loss value_loss_type loss_critic_type use_huber_loss"
    ),
    "update.target_kl": "kl_early_stop early_stop_kl kl_stop",
    "env.resize, height and width": "image_size resize_dim",
    "env.threads": "num_threads n_threads",
    "ppoc has `env.atari`, with episodic_life": "terminal_on_life_loss",
    "ppoc has `env.options`, arguments of the environment": (
        "sticky_actions repeat_action_probability full_action_space"
    ),
    "optimizer.actor.decay, of rmsprop": "rms_prop_decay rmsprop_alpha rho",
    "ppoc writes it as `networks.actor.std`: state-dependent": "state_dependent_std",
    "optimizer": "optim optimizers optimisers",
    "losses": "loss",
    "evaluation": "eval evaluate",
    "training": "train",
    "ppoc has it in specs of `kind: rlhf`": (
        "model_name_or_path response_length missing_eos_penalty per_device_train_batch_size "
        "num_train_epochs lora_r lora_alpha lora_rank tokenizer sft reward_model max_new_tokens"
    ),
    PER_ENV: (
        "n_steps num_steps horizon_length rollout_fragment_length unroll_length nsteps rollouts "
        "num_steps_per_env steps_per_env timesteps_per_actorbatch rollout_length "
        "num_rollout_steps timesteps_per_batch n_steps_per_env n_rollout_steps"
    ),
    TOTAL: (
        "train_batch_size frames_per_batch step_per_collect steps_per_epoch update_timestep "
        "train_batch_size_per_learner rollout_size collect_steps samples_per_iteration "
        "num_frames_per_batch steps_per_iteration steps_per_update"
    ),
    "ppoc calls it `update.rollout_steps`, over all environments together (ML-Agents' buffer, "
    "as far as it is learnt from once); a replay buffer for learning off-policy it has not": (
        "buffer_size"
    ),
    MINIBATCH: "batch_size",
    "update.minibatch_size": (
        "sgd_minibatch_size sub_batch_size mini_batch_size max_minibatch_size optim_batchsize "
        "batchsize"
    ),
    COUNTED: (
        "num_minibatches nminibatches num_mini_batches mini_batches num_mini_batch n_minibatches "
        "n_minibatch"
    ),
    "update.epochs": (
        "n_epochs update_epochs num_sgd_iter num_epochs mini_epochs noptepochs num_epoch "
        "repeat_per_collect ppo_epoch ppo_epochs num_learning_epochs learning_epochs optim_epochs "
        "k_epochs"
    ),
    "ppoc calls passes over a rollout `update.epochs`; epochs of Spinning Up are iterations: "
    "`training.total_steps` over `update.rollout_steps`": "epochs",
    "ppoc calls it `update.epochs`, for actor and critic together": (
        "train_pi_iters train_v_iters vf_iters n_critic_updates"
    ),
    "losses.policy.epsilon": (
        "clip_range clip_coef clip_param e_clip eps_clip epsilon_clip clip_epsilon clip_ratio "
        "cliprange ratio_clip clip_eps clip ppo_clip clipping_epsilon policy_clip ppo_eps"
    ),
    "ppoc has `losses.policy.epsilon`, the clip range, and `optimizer.actor.epsilon`, Adam's": (
        "epsilon eps"
    ),
    "losses.value.clip": (
        "clip_range_vf cliprange_vf vf_clip_coef value_clip_range value_clip_coef value_loss_clip"
    ),
    CLIPPED_LIKE_RATIO: (
        "clip_vloss clip_value use_clipped_value_loss value_clip clip_value_loss "
        "clip_predicted_values"
    ),
    HALVED: "vf_coef critic_coef value_coef",
    "losses.value.coefficient": (
        "vf_loss_coeff value_loss_coef value_loss_coeff critic_coeff value_loss_scale "
        "baseline_cost value_loss_weight"
    ),
    "losses.entropy.beta": (
        "ent_coef entropy_coeff entropy_coef entcoeff entropy_loss_scale entropy_cost "
        "entropy_weight beta_entropy entropy_beta"
    ),
    "ppoc calls the weight of the bonus `losses.entropy.beta`; 0 is off": (
        "entropy_bonus use_entropy"
    ),
    "ppoc calls the weight of the entropy bonus `losses.entropy.beta`": "beta",
    "advantage.lambda": "gae_lambda lam lambd lambda_ lmbda gae_lam gae_param td_lambda",
    "ppoc calls rl_games' tau, the λ of GAE, `advantage.lambda`; that of target networks it "
    "has not": "tau",
    "advantage.gamma": "discount discount_factor gamma_discount reward_discount",
    "advantage.normalize": (
        "norm_adv normalize_advantage average_gae advantage_normalization normalize_adv "
        "standardize_advantages standardize_fields normalize_advantages "
        "normalize_advantage_per_mini_batch"
    ),
    "advantage.rho_clip": (
        "vtrace_rho_clip vtrace_clip_rho_threshold clip_rho_threshold rho_bar rho_thresh"
    ),
    "advantage.c_clip": "vtrace_c_clip clip_c_threshold c_bar c_thresh",
    "ppoc writes it as `advantage.estimator`: v-trace, over `update.buffer`": "vtrace use_vtrace",
    "ppoc writes it as `advantage.estimator`: gae, with `advantage.lambda`": "use_gae",
    "ppoc writes it as `networks.critic`: null for none": "use_critic",
    "env.normalize.rewards": (
        "rew_norm norm_rew reward_normalization norm_reward normalize_reward normalize_rewards "
        "reward_norm"
    ),
    "env.normalize.observations": (
        "normalize_input norm_obs normalize_obs obs_norm normalize_observations "
        "observation_filter observation_normalization"
    ),
    "env.normalize.clip": "clip_obs",
    "ppoc scales observations and rewards in `env.normalize`, and advantages with "
    "`advantage.normalize`": "normalize normalization",
    "ppoc has `env.atari`, whose clip_rewards learns from the sign; rewards are scaled with "
    "`env.normalize.rewards`": "clip_rewards clip_reward reward_clip reward_clipping",
    KL_RATE: "kl_threshold desired_kl",
    KL_WEIGHT: "kl_coeff kl_coef kl_loss_coeff kl_penalty kl_weight use_kl_loss",
    "ppoc stops an iteration at `update.target_kl`, moves a penalty with "
    "`losses.policy.kl_target`, and limits a trust region with `optimizer.trust_region`": (
        "kl_target max_kl kl_limit delta"
    ),
    "ppoc calls it `optimizer.trust_region`, whose key is cg_iterations": "cg_iters cg_max_steps",
    "ppoc calls it `optimizer.trust_region`, whose key is damping": "cg_damping damping_coeff",
    "ppoc calls it `optimizer.trust_region`, whose key is backtracks": (
        "backtrack_iters line_search_max_iter"
    ),
    "optimizer.actor.lr": (
        "learning_rate lr pi_lr policy_lr actor_lr learning_rate_actor optim_stepsize lr_actor "
        "step_size"
    ),
    "optimizer.critic.lr": "vf_lr critic_lr value_lr learning_rate_critic lr_critic vf_stepsize",
    SCHEDULE: (
        "anneal_lr lr_schedule learning_rate_schedule lr_decay decay_lr lr_scheduler "
        "use_linear_decay use_linear_lr_decay learning_rate_scheduler lr_scheduler_type "
        "lr_decay_factor learning_rate_decay lr_decay_rate"
    ),
    "optimizer.actor.epsilon": "adam_eps adam_epsilon optim_eps rms_prop_eps opti_eps",
    "optimizer.actor.kind": "optimizer_class optimizer_type use_rms_prop",
    "ppoc has `optimizer.actor`, with kind, lr, epsilon, weight_decay and so on": (
        "optimizer_kwargs"
    ),
    "optimizer.max_grad_norm": (
        "max_grad_norm grad_clip grad_norm grad_norm_clip gradient_clip grad_norm_clipping "
        "clip_grad_norm"
    ),
    "ppoc writes it as `optimizer.max_grad_norm`: null is off": "truncate_grads",
    "env.num_envs": (
        "n_envs num_actors training_num num_environments nenvs number_envs total_agents"
    ),
    "ppoc calls it `env.num_envs`, all environments together: this times the workers": (
        "num_envs_per_env_runner num_envs_per_worker envs_per_worker env_per_worker"
    ),
    "env.id": "env_id env_name gym_id task task_name env_spec",
    "ppoc has `env`, such as {id: CartPole-v1}": "environment environments",
    "env.options": "env_config env_kwargs env_args environment_parameters",
    "ppoc has `env.wrappers`, and keys of `env` for the usual ones": (
        "env_wrapper vec_env_wrapper wrapper"
    ),
    "env.frame_skip": "frameskip action_repeat frame_repeat n_skip",
    "env.frame_stack": "framestack n_stack num_stack stack_size stacked_vectors",
    "env.backend": "vec_env vectorization vector_env vec_env_cls",
    "networks.actor.resample_every": "sde_sample_freq",
    "ppoc writes it as `networks.actor.std`: gsde": "use_sde",
    "env.max_episode_steps": "max_ep_len max_episode_length episode_length max_episode_len",
    LIMIT: "time_limit max_path_length max_traj_length episode_horizon ep_len",
    HORIZON: "horizon",
    "training.total_steps": (
        "total_timesteps n_timesteps timesteps total_frames num_env_steps num_timesteps "
        "max_timesteps max_env_steps total_env_steps n_total_steps num_steps_total time_steps "
        "total_env_interactions num_train_steps total_env_steps_num"
    ),
    "ppoc calls the length of a run `training.total_steps`, the time limit of an episode "
    "`env.max_episode_steps`": "max_steps",
    ITERATIONS: (
        "max_epochs num_iterations max_iterations n_iter training_iteration iterations "
        "num_updates total_iterations n_iterations max_iters"
    ),
    "ppoc counts `training.total_steps` in environment steps: Tianshou's epochs times its "
    "steps of one": "max_epoch step_per_epoch",
    WIDTHS: (
        "net_arch hidden_sizes hidden_units num_layers fcnet_hiddens units num_cells "
        "hidden_layers hidden_dims hidden_dim actor_hidden_dims critic_hidden_dims "
        "hidden_layer_sizes depth hidden_nodes mlp_hidden fc_dims"
    ),
    NETWORKS: (
        "policy_kwargs model policy network networks_config network_settings policy_network "
        "actor_critic ac_kwargs net mlp"
    ),
    "networks.actor": "pi actor_network",
    "networks.critic": "vf value_network value_function",
    "networks.actor.activation": (
        "activation_fn fcnet_activation nonlinearity act_fun activation_function"
    ),
    "networks.actor.init": (
        "ortho_init orthogonal_init orthogonal_initialization weight_init initializer"
    ),
    "ppoc writes it as `networks.critic.share`: actor": (
        "vf_share_layers share_network shared_network share_policy_and_value shared_backbone "
        "share_features_extractor"
    ),
    "ppoc calls it `networks.actor.body`, such as nature-cnn": (
        "features_extractor_class cnn conv_filters encoder vis_encode_type feature_extractor"
    ),
    CELL: (
        "use_lstm lstm_cell_size use_rnn rnn recurrent lstm use_recurrent memory_size "
        "rnn_hidden_size lstm_hidden_size n_lstm hidden_state_size"
    ),
    "update.sequence_length": "bptt_horizon max_seq_len seq_len seq_length recurrence",
    "ppoc calls it `networks.actor.log_std_init`, the logarithm": (
        "init_noise_std init_std log_std initial_std std_init logstd_init action_std"
    ),
    TANH: "squash_output tanh_squash squash use_tanh",
    EVALUATED: (
        "eval_freq evaluation_interval eval_interval eval_every test_interval evaluate_every"
    ),
    EPISODES_ONLY: (
        "n_eval_episodes eval_episodes evaluation_duration episode_per_test num_eval_episodes "
        "evaluation_num_episodes test_num test_episodes eval_episodes_num"
    ),
    "training.checkpoint_every": (
        "save_freq checkpoint_interval save_frequency save_interval checkpoint_freq save_every "
        "checkpoint_frequency"
    ),
    "training.device": "cuda use_gpu use_cuda gpu",
    "training.seed": "random_seed rng_seed random_state seed_everything",
    "name": "exp_name experiment_name run_name trial_name run_id full_experiment_name",
    "ppoc writes it as `update.sampling`: episodes": "batch_mode complete_episodes",
    "ppoc writes it as `env.action_masks`": "use_masking mask_actions action_mask masking",
    "ppoc writes it as `evaluation.deterministic`": "deterministic_eval eval_deterministic",
    "ppoc writes it as `training.compile`": "torch_compile compile_mode jit",
    "ppoc counts the length of a run in environment steps, `training.total_steps`": (
        "num_episodes n_episodes max_episodes total_episodes episodes"
    ),
}

PEERS = {**hints(GROUPS), **hints(WITHOUT), **hints(SECTIONS)}
