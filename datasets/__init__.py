"""Songs and what becomes of them: readers, the generated set, HDF5 feature files."""
