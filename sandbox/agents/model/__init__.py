"""The agent with a model: our own loop over any endpoint that speaks Anthropic's or OpenAI's protocol."""
