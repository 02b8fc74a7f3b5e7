"""Single neurons: their links, filters, and what they see."""
