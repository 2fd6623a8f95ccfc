"""The parts of an apply: the plan, the journal, the staging, the steps both ways, and the disk they act on."""
