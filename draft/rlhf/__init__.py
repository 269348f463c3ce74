"""English in, a spec of `kind: rlhf` out: its terms, reader, drafts and descriptions."""
