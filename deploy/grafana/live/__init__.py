"""Every query of the dashboards, asked of a real Prometheus that scrapes the running system."""
