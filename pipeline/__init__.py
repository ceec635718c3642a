"""From a grey film to a colour film. Only this folder imports `av`.

Records that all stages share:
    chunk         which frames a chunk holds, and where a run resumes
    frames        the arrays of a chunk as they travel from stage to stage
    look          the options that decide the colours
    defaults      default values of the options
    extras        the kinds of results besides the colour film

Opening the film:
    storage       films at URLs, read and uploaded through fsspec
    opening       opens containers of films, and nothing else
    probe         the table of time stamps, read from the container
    film          open_film: the film's properties, and when each frame is shown
    webp          animated WebP as a film
    sequences     films that are sequences of pictures: DPX, TIFF, EXR, PNG, JPEG
    timecode      moments and ranges as people write them

Reading it:
    cuts          finds the frames at which a new shot begins
    reader        decodes the film once, in order, and hands out chunks
    shots         finds shots without painting them

Colouring it:
    edits         edits of labels and colours: the user's sheet, resolved for a film, applied to frames
    scenes        shots that show again what an earlier one showed
    scenefinding  the pass over a film that finds them
    revisiting    the colours of an earlier shot in a later one
    compose       chroma at network size → the Cb and Cr planes at full size
    overlay       labels as a picture with names and a legend
    summary       statistics of labels and colours for each shot
    report        what was kept and what was changed, with digests and pictures
    stages        the stages of a chunk: painting, motion, steadying, composing

Writing it:
    encode        codecs, their settings, and the encoder of one part
    files         files that appear whole or not at all
    parts         the parts in the work folder: receipts, gaps, validity
    writer        encodes parts and commits them durably
    containers    what each container can hold
    mux           parts + sound, subtitles, chapters … → the output file
    outputs       checks whether an output can be written, before any work is done
    pictures      a film as a sequence of pictures
    contactsheet  frames of several films side by side in one picture

All of it in one process:
    inprocess     colorize, still, label_map

The folder imports neither Ray nor torch; its arrays are numpy arrays. What programs use is exported by `semcolor`.
"""
