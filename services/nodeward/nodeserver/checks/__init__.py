"""The built-in checks: one module each, named like the plugin. `table` lists them."""
