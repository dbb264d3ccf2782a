"""The customers' own pages: answer a survey, say that a message did not help, stop further ones."""
