"""What a process tells whoever runs it: traces and counts. Beneath everything that does something, above the domain."""
