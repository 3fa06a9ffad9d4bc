"""Rolling out: which bundle a node is handed, reaching the nodes, and the rollouts themselves."""
