"""What a search would do: its plan, its checks, its estimate."""
