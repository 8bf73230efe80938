"""The reference federation: its texts, its clients and how they train."""
