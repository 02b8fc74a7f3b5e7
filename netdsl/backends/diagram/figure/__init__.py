"""Figures: a network small, and the block that is its idea, large."""
