"""The files that cards come in: bytes in, bytes out. What the fields of a card mean is not known here."""
