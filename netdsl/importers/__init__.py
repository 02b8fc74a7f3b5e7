"""From other formats to the language: a front end for each, and the way back to structure."""
