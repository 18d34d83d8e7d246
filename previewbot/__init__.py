"""previewbot: a running copy of the app for every pull request."""
