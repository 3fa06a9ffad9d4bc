"""Words and small tools that every role shares."""
