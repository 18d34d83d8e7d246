"""The full stack on real parts: an app with databases, and servers made here where none can be pulled."""
