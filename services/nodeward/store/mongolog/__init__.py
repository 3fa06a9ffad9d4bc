"""The log shelf's rooms on MongoDB: batches as they came, the documents they become, what reads and counts and removes those."""
