"""The Grafana dashboards as code: what they show, how they are built, the rules they keep."""
