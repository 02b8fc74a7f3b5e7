"""PyTorch's exported program, `.pt2`: the module traced once, at the contract's open sizes."""
