"""Says what it was given, line by line, and that is all."""
import sys

for number in range(3):
    print(f"line {number}: {' '.join(sys.argv[1:])}", flush=True)
