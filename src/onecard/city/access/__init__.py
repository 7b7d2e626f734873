"""What `onecard bench access` measures the access tier with: the mission's whole tree, and a fleet of front-ends for it."""
