"""From a recipe to a result."""
