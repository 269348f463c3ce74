"""English in, a spec out: a reader of requests, the contract with language models, provenance."""
