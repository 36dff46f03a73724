"""The pictures of the example cards, drawn in code."""
