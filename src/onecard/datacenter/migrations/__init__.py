"""The ledger's tables, in the one path of migrations. Forward only."""
