// Nothing of its own: its object holds the headers that unit tests share, compiled once.
