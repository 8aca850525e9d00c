"""Programs that a run starts as processes of their own (独立进程)."""
