"""The page's files, as they are served: no build step, nothing from elsewhere."""
