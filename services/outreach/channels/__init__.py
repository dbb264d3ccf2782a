"""Ways in which a message leaves, one module each.  None of them decides anything."""
