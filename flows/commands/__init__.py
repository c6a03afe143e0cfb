"""The subcommands of mgvae and what they print."""
