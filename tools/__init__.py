"""Commands that make files of the pack: example graphs, blueprint, help pictures, texts, samples, the film of the README."""
