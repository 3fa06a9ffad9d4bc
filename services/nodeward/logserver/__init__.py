"""The log server: takes log records in, stores them once, searches and follows them, keeps retention."""
