"""The commands: each is the function `command` of the file of its name."""
