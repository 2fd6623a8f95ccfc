"""The agent that brings its own program: anything that speaks the Agent Client Protocol, whole inside the wall."""
