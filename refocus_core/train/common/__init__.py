"""What every training shares: the loop, its checkpoints, settings files, optimisers and photos."""
