"""The PyTorch backend: source that a person could have written, and the module it defines."""
