"""Sequences of pictures as films: DPX, TIFF, EXR, PNG and JPEG.

    names     find the pictures of a sequence, and name those of another one
    head      what a picture's header states
    dpx, tiff, exr, png, jpeg    read and write one picture
    needed    packages of the extra [scans]
    curves    code values → luma on a display, and back
    color     luma of R, G, B; R, G, B with a given luma
    scans     a sequence as a film reads it

This package knows nothing of films: `pipeline.film` makes a `Film` of a sequence, and `pipeline.pictures` writes one.
"""
