"""Fails in the way that people's jobs do."""
print("about to fail", flush=True)
raise ValueError("the cause of it all")
