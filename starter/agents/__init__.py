"""For LLM agents: an MCP server whose tools are jobs of the business. What a token opens is looked at in gate.py."""
