"""Torch code that is printed into generated sources word for word where it is used."""
