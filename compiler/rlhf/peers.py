"""Names that other tools have for values of `kind: rlhf`, and where these go in a spec.

Of TRL, OpenRLHF, transformers and PEFT; as in ppoc.compiler.agent.peers.names.
"""

from collections.abc import Mapping

from ppoc.compiler.front.suggest import hints

BATCHES = (
    "ppoc has `sft.batch_size`, `reward.batch_size` and `ppo.minibatch_size`, in samples of a "
    "gradient step on all devices together"
)
WHOLE = "ppoc has none: a batch is one gradient step, however it fits the memory"
ACCUMULATED = (
    "ppoc has none: a gradient step is of `sft.batch_size`, `reward.batch_size` or "
    "`ppo.minibatch_size`: multiply"
)
WARMUP = (
    "ppoc calls it warmup, a share of the updates, in `sft.optimizer`, `reward.optimizer` or "
    "`ppo.optimizer`"
)
ONLY_PPO = (
    "ppoc has none: of learning from preferences it has a reward model and PPO, in `reward` and "
    "`ppo`"
)
EVALUATED = (
    "ppoc calls it `evaluation.every`, in iterations of ppo; sft and reward are evaluated as they "
    "go"
)
LOGGED = "ppoc has none: metrics go to the run folder, and to TensorBoard, by themselves"
FLOATS = "ppoc writes it as `model.dtype`: float32 or bfloat16"
MEMORY = "ppoc has none: it says before a run whether the machine's memory is enough"
ORDINARY = "ppoc has none: AdamW's betas are 0.9 and 0.999"
DATA = "ppoc calls it `data.demonstrations`, `data.preferences` or `data.prompts`"
RATE = "ppoc calls it lr, in `sft.optimizer`, `reward.optimizer` or `ppo.optimizer`"
SCHEDULE = "ppoc calls it schedule, in `sft.optimizer`, `reward.optimizer` or `ppo.optimizer`"
ADAM = "ppoc calls it epsilon, in `sft.optimizer`, `reward.optimizer` or `ppo.optimizer`"
NORM = "ppoc calls it max_grad_norm, in `sft.optimizer`, `reward.optimizer` or `ppo.optimizer`"
ROLLOUT = (
    "ppoc calls the responses of an iteration `ppo.rollout_size`, those of a gradient step "
    "`ppo.minibatch_size`"
)
COUNTED = "ppoc has `ppo.minibatch_size`, in responses: `ppo.rollout_size` over this number"

GROUPS: Mapping[str, str] = {
    "model.id": "model_name_or_path model_name pretrain pretrained base_model model_path",
    "model.revision": "model_revision",
    FLOATS: "torch_dtype bf16 fp16 precision mixed_precision dtype",
    "model.lora": "use_peft peft_config use_lora peft",
    "model.lora.rank": "lora_r lora_rank r",
    "model.lora.alpha": "lora_alpha",
    "model.lora.dropout": "lora_dropout",
    "model.lora.targets": "lora_target_modules target_modules",
    "model.config.layers": "n_layer num_hidden_layers n_layers num_layers",
    "model.config.heads": "n_head num_attention_heads n_heads",
    "model.config.hidden_size": "n_embd d_model embed_dim",
    "model.config.context": "n_positions max_position_embeddings block_size context_length n_ctx",
    "ppoc writes it as `model.tokenizer`: {bpe: …}": "vocab_size",
    "ppoc has none: no code of a model is run": "trust_remote_code",
    "ppoc has none: weights are float32": (
        "load_in_8bit load_in_4bit quantization quantization_config"
    ),
    MEMORY: (
        "gradient_checkpointing use_gradient_checkpointing zero_stage deepspeed fsdp offload "
        "adam_offload flash_attn use_flash_attention attn_implementation use_vllm vllm_num_engines"
    ),
    DATA: "dataset dataset_name dataset_path prompt_data data_path train_data",
    "data.demonstrations": "train_file sft_dataset instruction_data",
    "data.preferences": "preference_dataset comparison_data reward_dataset preference_data",
    "data.held_out": "validation_split test_size eval_split validation_split_percentage",
    "data.max_prompt_tokens": "prompt_max_len max_prompt_length max_prompt_len",
    "data.max_response_tokens": "max_completion_length max_target_length",
    "ppoc has `data.max_prompt_tokens` and `data.max_response_tokens`": (
        "max_length max_seq_length max_len max_seq_len seq_length"
    ),
    "ppoc writes it as `data.overlong`: truncate": "truncation truncation_mode",
    "ppoc has none: JSON Lines with prompt and response, or chosen and rejected": (
        "dataset_text_field input_key output_key dataset_num_proc input_template "
        "apply_chat_template"
    ),
    "ppoc has none: demonstrations are padded, not packed": "packing group_by_length",
    "ppoc writes it as `sft.loss_on`: response": (
        "completion_only_loss train_on_inputs assistant_only_loss train_on_prompt mask_prompt"
    ),
    RATE: "learning_rate lr",
    "ppo.optimizer.lr": "actor_learning_rate actor_lr policy_lr ppo.learning_rate",
    "ppo.value_optimizer.lr": "value_learning_rate critic_learning_rate critic_lr value_lr",
    SCHEDULE: "lr_scheduler_type lr_scheduler lr_schedule",
    WARMUP: "warmup_ratio warmup_steps lr_warmup_steps lr_warmup_ratio num_warmup_steps",
    ADAM: "adam_epsilon adam_eps",
    ORDINARY: "adam_beta1 adam_beta2 adam_betas betas optim",
    NORM: "max_grad_norm max_norm gradient_clipping",
    "ppoc calls it epochs, of `sft`, `reward` or `ppo`": (
        "num_train_epochs max_epochs num_epochs epochs"
    ),
    "ppo.epochs": "num_ppo_epochs ppo_epochs noptepochs",
    "ppo.episodes": "total_episodes steps num_episodes total_ppo_epochs",
    BATCHES: "per_device_train_batch_size batch_size train_batch_size",
    WHOLE: (
        "micro_train_batch_size micro_rollout_batch_size local_rollout_forward_batch_size "
        "forward_batch_size mini_batch_split backward_batch_size per_device_eval_batch_size"
    ),
    ACCUMULATED: "gradient_accumulation_steps",
    "ppo.minibatch_size": (
        "mini_batch_size minibatch_size ppo.train_batch_size ppo.per_device_train_batch_size"
    ),
    COUNTED: "num_mini_batches nminibatches",
    "ppo.rollout_size": "rollout_batch_size",
    ROLLOUT: "ppo.batch_size",
    "ppo.generation.max_new_tokens": (
        "response_length max_new_tokens generate_max_len gen_len max_gen_len"
    ),
    "ppo.generation.temperature": "temperature",
    "ppoc has none: each prompt gets one response, but in `evaluation.samples`": (
        "num_generations n_samples_per_prompt num_return_sequences"
    ),
    "ppo.rewards.missing_end": (
        "missing_eos_penalty stop_token stop_token_id non_eos_penalty penalty_reward_value"
    ),
    "ppo.rewards.normalize": (
        "whiten_rewards normalize_reward use_score_norm use_score_scaling normalize_rewards"
    ),
    "ppo.rewards.clip": "score_clip reward_clip_range cliprange_reward reward_clip",
    "ppo.advantage.whiten": "whiten_advantages advantage_normalization",
    "ppo.kl.beta": "kl_coef init_kl_coef init_kl_coeff kl_coeff kl_beta kl_ctl",
    "ppo.kl.target": "kl_target adap_kl_ctrl target_kl_coef",
    "ppo.kl.horizon": "kl_horizon horizon",
    "ppo.kl.estimator": "kl_estimator kl_penalty",
    "ppoc calls the weight of the KL penalty `ppo.kl.beta`, of the entropy bonus "
    "`ppo.losses.entropy.beta`": "beta",
    "ppoc stops an iteration at `ppo.target_kl`, and moves the penalty to `ppo.kl.target`": (
        "target early_stopping"
    ),
    "ppo.losses.policy.epsilon": (
        "cliprange clip_range clip eps_clip epsilon_low epsilon clip_ratio clip_eps"
    ),
    "ppo.losses.value.clip": "cliprange_value value_clip vf_clip",
    "ppo.losses.value.coefficient": "vf_coef value_loss_coef",
    "ppo.losses.entropy.beta": (
        "entropy_coeff ent_coef entropy_coef entropy_loss_coef entropy.coefficient entropy.coef "
        "entropy.weight"
    ),
    "ppoc has none: the policy's term has weight 1; scale the others": (
        "policy.coefficient policy.weight"
    ),
    "ppo.advantage.lambda": "lam lambd gae_lambda lambda_",
    "reward.center": "center_rewards_coefficient",
    "ppoc writes it as `reward.objective`: pairs or plackett-luce": "loss_type",
    "start.policy": "sft_model_path policy_path",
    "start.reward": "reward_model_path reward_model reward_pretrain reward_model_name",
    "ppoc has none: the reference is the policy that ppo starts from": (
        "ref_model ref_model_path reference_model ref_policy"
    ),
    ONLY_PPO: "dpo grpo rloo kto orpo dpo_beta simpo ipo reward_funcs rpo_alpha",
    "ppoc writes it as `ppo.value`: separate": (
        "share_vf separate_value_model critic_pretrain value_model"
    ),
    EVALUATED: "eval_steps eval_strategy evaluation_strategy eval_freq eval_every",
    "training.checkpoint_every": "save_steps save_strategy save_freq save_every",
    LOGGED: (
        "report_to logging_steps log_with logging_dir tracker_project_name use_wandb wandb_project"
    ),
    "ppoc has none: `ppoc run --out` names the folder": "output_dir save_path ckpt_path",
    "name": "run_name exp_name experiment_name hub_model_id",
    "ppoc calls it `stages`: the steps to make": "do_train do_eval task steps_to_run",
    "training.compile": "torch_compile",
    "training.seed": "random_seed data_seed",
}

PEERS = hints(GROUPS)
