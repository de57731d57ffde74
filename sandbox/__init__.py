"""A JupiterInvoice stand-in: a real HTTP server with its own durable file, so that everything else can be run for real.

It plays somebody else's system. It therefore imports nothing of ours, and nothing of ours but the command line that
starts it imports it; the two meet over HTTP only.
"""
