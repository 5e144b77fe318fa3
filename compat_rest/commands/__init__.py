"""The commands of `sync-gateway`: one module for each idea. `compat_rest.main` lists them.

A command imports what it needs when it runs, so that `--help` stays quick.
"""
