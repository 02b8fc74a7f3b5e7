"""Where the numbers of a network come from: checkpoints, modules, or drawn."""
