"""The compiler: language, source positions, diagnostics, checks, plan and emitter."""
