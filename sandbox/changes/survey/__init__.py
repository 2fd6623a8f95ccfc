"""Reading a frozen layer: what changed, what stays behind and why, what was only moved, how much it is."""
