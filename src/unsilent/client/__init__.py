"""The client's side: what is agreed to, measured, released and kept."""
