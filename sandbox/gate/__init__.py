"""The gate: the one way out of a wall without network, which lets through what a rule says and nothing else."""
