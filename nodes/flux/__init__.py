"""What the generative route needs of ComfyUI: its FLUX, autoencoder, text encoders and samplers."""
