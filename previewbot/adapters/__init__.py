"""One outside system each; its exceptions are translated at this edge."""
