"""A session: one emulated topology, its workers, and the cells measured on it. The same code serves every lab."""
