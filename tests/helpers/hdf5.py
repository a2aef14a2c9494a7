"""HDF5 files that the project would never write."""

import h5py
import numpy as np


def replaced(file, name, make):
    """Put something else in a data set's place; ``make`` gets the group, the name, the values."""
    values = file[name][()]
    del file[name]
    make(file, name, values)


def soft_link(file, name, values):
    file[name] = h5py.SoftLink(f"/{name}")


def link_into_another_file(file, name, values):
    file[name] = h5py.ExternalLink("/etc/passwd", "/x")


def in_another_file(file, name, values):
    file.create_dataset(name, values.shape, "<f4", external=[("/etc/passwd", 0, values.nbytes)])


def made_of_itself(file, name, values):
    layout = h5py.VirtualLayout(values.shape, "<f4")
    layout[...] = h5py.VirtualSource(".", name, values.shape)
    file.create_virtual_dataset(name, layout)


def in_chunks(file, name, values):
    file.create_dataset(name, data=values, chunks=True, compression="gzip")


def in_the_header(file, name, values):
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    file.create_dataset(name, (3,), "<f4", dcpl=compact)


def without_values(file, name, values):
    file[name] = h5py.Empty("<f4")


def huge(file, name, values):
    file.create_dataset(name, (1 << 40, *values.shape[1:]), "<f4")


def two_bytes_each(file, name, values):
    file[name] = values.astype("<f2")


def high_byte_first(file, name, values):
    file[name] = values.astype(">f4")


def under_another_name(file, name, values):
    file[name] = values
    file[f"{name}-again"] = file[name]


def a_type(file, name, values):
    file[name] = np.dtype("<f4")


UNSOUND = {
    soft_link: "is a soft link",
    link_into_another_file: "is a link into another file",
    in_another_file: "has its values in another file",
    made_of_itself: "has its values in other data sets",
    in_chunks: "has its values in chunks",
    in_the_header: "has its values in its header",
    without_values: "has no values",
    huge: "has no values in the file",
    two_bytes_each: "has 16-bit floating-point numbers",
    high_byte_first: "has 32-bit floating-point numbers with the high byte first",
    under_another_name: "is there under another name",
    a_type: "is neither a group nor a data set",
}
"""What to put in the place of an array of single precision, and what is said of it."""
