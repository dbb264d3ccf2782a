"""Tests of the Kubernetes manifests, and of the checks that hold them."""
