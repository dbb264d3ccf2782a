"""What a deployment needs beside the services: built and checked here, never imported by them."""
