"""What the kernels compute, in plain NumPy and Python: for people to read first, and for tests to compare with.

A module has the name of its kernel. Its functions have the names and arguments of the kernel's and give the same
results, though far slower. Each shows an example, which runs as a test. Nothing but tests imports a twin.
"""
