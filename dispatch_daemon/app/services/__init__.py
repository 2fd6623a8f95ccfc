"""What the door may ask, one noun a module; `facade.Service` is all of them together."""
