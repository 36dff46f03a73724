"""The remote backend: a model behind an OpenAI-compatible server."""
