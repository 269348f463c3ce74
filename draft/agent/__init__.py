"""Requests for agents: their words read into claims, drafts of their specs, and the way back."""
