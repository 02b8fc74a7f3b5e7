"""A network, small, and its idea, large."""
