"""What the commands share: truths and scores, scenes and photos, and the methods that ours is compared with."""
