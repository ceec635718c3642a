"""The commands: `semcolor-video`, `semcolor-batch`, `semcolor-train`."""
