"""What a repository already has (Dockerfiles, ``compose.yaml``, a Procfile, ``app.json``, ``render.yaml``) to a blueprint.

One module for each source; each gives services, resources and secrets, and says what it could not carry over. Pure:
files in, a text out.
"""
