"""Networks that hear words, and everything that trains and draws them. Knows nothing of the backend."""
