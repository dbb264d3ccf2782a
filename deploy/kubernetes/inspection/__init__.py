"""What must hold of rendered manifests; each check returns what is wrong, in words."""
