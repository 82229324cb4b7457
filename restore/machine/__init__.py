"""The machine: processes, memory, signals, versions."""
