"""The commands `semcolor-video`, `semcolor-batch` and `semcolor-train`."""
