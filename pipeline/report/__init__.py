"""The report of a film: what came in, what went out, what was kept and what was changed, with digests and pictures.

While the film is made, two modules note facts beside each part, so that no frame is decoded again at the end:

    observe       chroma, labels and small pictures of each chunk
    lumacheck     digests of the luma that the encoder gets, compared with what decodes from the finished part

At the end, the notes of all parts become one report:

    records       the report as data, with its JSON Schema
    gather        the notes of all parts → shots, and series over time
    media         what is in a file: its streams, their digests, chapters and metadata
    compare       what was kept and what was changed
    build         all of it together, as JSON or as a page
    charts        series over time as SVG
    page          the page
"""
