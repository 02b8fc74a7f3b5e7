"""A look inside trained networks, beside hooks and gradients of modules that know nothing of it."""
