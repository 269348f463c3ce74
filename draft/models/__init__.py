"""Language models that read requests, and the judgement of their answers."""
