"""Row heights of many messages: prefix sums, and which message is at a row, both in O(log n)."""

from __future__ import annotations

from collections.abc import Iterable


class Heights:
    """A Fenwick tree over heights in rows. Every height is at least 1."""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self.rebuild(values)

    def rebuild(self, values: Iterable[int]) -> None:
        """Replace all heights, in O(n)."""
        self._values = list(values)
        count = len(self._values)
        self._tree = [0, *self._values]
        for node in range(1, count + 1):
            above = node + (node & -node)
            if above <= count:
                self._tree[above] += self._tree[node]
        self.total = sum(self._values)
        """The sum of all heights."""

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> int:
        return self._values[index]

    def __setitem__(self, index: int, height: int) -> None:
        change = height - self._values[index]
        self._values[index] = height
        self.total += change
        node = index + 1
        while change and node < len(self._tree):
            self._tree[node] += change
            node += node & -node

    def append(self, height: int) -> None:
        """Add one height at the end."""
        self._values.append(height)
        self.total += height
        node = len(self._values)
        # A node sums the values after its parent's range up to its own.
        stop, below, covered = node - (node & -node), node - 1, height
        while below > stop:
            covered += self._tree[below]
            below -= below & -below
        self._tree.append(covered)

    def before(self, index: int) -> int:
        """Return the sum of the heights before ``index``."""
        rows = 0
        while index:
            rows += self._tree[index]
            index -= index & -index
        return rows

    def find(self, row: int) -> tuple[int, int]:
        """Return the index of the message at ``row`` and the row within it; past the end, the last row of all."""
        count = len(self._values)
        node, step = 0, 1 << count.bit_length()
        while step:
            if node + step <= count and self._tree[node + step] <= row:
                node += step
                row -= self._tree[node]
            step >>= 1
        return (node, row) if node < count else (count - 1, self._values[-1] - 1)
