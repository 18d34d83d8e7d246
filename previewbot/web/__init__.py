"""The door and the pages: they verify, accept and show; they never act."""
