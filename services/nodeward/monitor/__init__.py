"""Receives results, decides states, and tells people: once per cause, and once when it is over."""
