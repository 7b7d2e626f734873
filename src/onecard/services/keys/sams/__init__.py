"""Security modules (SAM, PSAM; K3): stock, personalisation, binding to a terminal, blocking."""
