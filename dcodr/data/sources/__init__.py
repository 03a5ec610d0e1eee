"""Read raw files of each dataset into images and labels."""
