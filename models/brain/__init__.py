"""Networks mapped to brain data, and the classic GLM. Needs the packages of the group `brain`."""
