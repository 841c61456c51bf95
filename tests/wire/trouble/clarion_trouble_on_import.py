"""A plugin package that cannot be imported at all."""

raise ImportError("libtrouble.so: cannot open shared object file")
