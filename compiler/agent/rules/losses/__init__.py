"""Rules of the terms of the loss."""
