"""`netdsl build`: the plan in a file, what of it is to be made, and the making."""
