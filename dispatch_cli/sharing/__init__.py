"""Sharing: one HTML file that holds a result with its proof, and checks itself wherever it is opened."""
