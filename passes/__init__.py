"""The rewrites: one family per file, each found through the entry-point group ``surgery.passes``."""
