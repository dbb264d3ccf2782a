"""Kubernetes manifests: a base, overlays, components, and what of them is made from the contracts."""
