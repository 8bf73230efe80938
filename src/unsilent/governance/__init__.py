"""What people have to do about findings, what they did, and what is overdue."""
