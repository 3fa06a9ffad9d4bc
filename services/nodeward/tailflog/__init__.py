"""tailflog: follows log files, parses their lines, keeps them on disk until the log server has them, and ships each once."""
