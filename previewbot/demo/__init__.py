"""The main job on one machine, with a simulated GitHub that a person can look at."""
