"""The store, beyond what its port promises."""
