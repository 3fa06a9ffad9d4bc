"""The names of the log formats: declared once, for the config server that verifies and for tailflog that parses."""

NAMES = ("apache", "json", "log4j", "logfmt", "nginx", "raw", "rfc5424", "syslog")
