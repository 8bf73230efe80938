"""What the demo shows first: a small federation, whole and true, before the large one begins."""
