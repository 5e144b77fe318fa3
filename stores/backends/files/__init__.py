"""Files in folders on disk, and the icons that every plant starts with."""
