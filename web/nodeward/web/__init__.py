"""The live UI: pages rendered here, everything they show asked of the servers over HTTP, changes pushed to the browser."""
