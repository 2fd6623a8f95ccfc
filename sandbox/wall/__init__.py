"""The wall itself: what is granted, how it is enforced, and the one file that starts processes."""
