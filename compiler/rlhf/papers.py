"""Papers that advice on learning from human feedback quotes."""

OUYANG = "Ouyang et al. 2022, Training language models to follow instructions"
STIENNON = "Stiennon et al. 2020, Learning to summarize from human feedback"
HUANG = "Huang et al. 2024, The N+ implementation details of RLHF with PPO"
