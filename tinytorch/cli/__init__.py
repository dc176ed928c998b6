"""The program `tinytorch`: train on MNIST, run PyTorch programs, say what is there."""
