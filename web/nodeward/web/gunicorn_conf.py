"""How gunicorn serves web, beside what `main` hands over from the settings.

It must not import what the worker patches (docs/decisions/0601), so nothing is imported here.
"""

proc_name = "nodeward-web"
workers = 1  # a browser's live connection lives in one process
timeout = 60  # without a sign of life from the worker
graceful_timeout = 3  # live connections never end by themselves
keepalive = 30
preload_app = False  # the worker patches the standard library before the app is imported
control_socket_disable = True
sendfile = False  # a green socket has none
accesslog = None  # requests are counted under /metrics; who did what is in the audit
errorlog = "-"
loglevel = "warning"
forwarded_allow_ips = "127.0.0.1,::1"
