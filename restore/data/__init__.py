"""Images: files to tensors and back, and where training images come from."""
