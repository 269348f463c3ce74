"""Specs of an agent in an environment: language, checks, probe, plan, passes, emitter."""
