"""Words and numbers of a request of any kind, and claims about them."""
