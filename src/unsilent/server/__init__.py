"""The server's side: rounds, sums, verdicts, the gate. It imports nothing of the client's."""
