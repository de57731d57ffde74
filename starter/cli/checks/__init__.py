"""What `billhook doctor` looks at: each check answers findings, none raises."""
