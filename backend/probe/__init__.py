"""How a server is doing: read on the spot, and judged."""
