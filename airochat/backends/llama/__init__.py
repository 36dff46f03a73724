"""The embedded backend: llama.cpp, driven on its low-level API."""
