"""Jinja2 templates: what a generated module looks like."""
