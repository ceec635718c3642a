"""The statement of a film or a still about its colours: IPTC's digital source type, and a sentence.

The code is that of media that a trained network has changed: luma was captured, chroma comes from "a model derived from
sampled content" (IPTC NewsCodes, Digital Source Type: compositeWithTrainedAlgorithmicMedia). A container with free
metadata states both as tags. MOV and MP4 state them in XMP (ISO 16684-1; part 3 of Adobe's specification says where it
is in these files), and so do the picture files of stills. AVI has only a comment, which is used if the source has none.
MPEG-TS, MPEG-PS and MXF have no place.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO
from uuid import UUID

from .. import __version__

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""The IPTC's digital source type of what semcolor has coloured."""

SENTENCE = f"A trained network made these colours (semcolor {__version__}); luma is the source's."
"""The same for people."""

IN_TAGS = ("matroska", "webm", "nut", "flv", "asf")
"""Containers (FFmpeg's names) that store tags of any name."""

IN_XMP_ATOM = ("mov",)
"""Containers whose muxer stores XMP in the movie's user data."""

IN_XMP_BOX = ("mp4", "ipod", "3gp", "3g2", "f4v", "ismv", "psp")
"""Containers that store XMP in a box at the end of the file."""

XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
"""The name of that box."""

XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{SENTENCE}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
"""Both as an XMP packet."""


def stating(container: str, metadata: dict[str, str]) -> dict[str, str]:
    """The metadata that state the origin of the colours.

    Args:
        container: FFmpeg's name of the output's container.
        metadata: the metadata that the output has already.
    """
    if container in IN_TAGS:
        return {"DIGITAL_SOURCE_TYPE": DIGITAL_SOURCE_TYPE, "SEMCOLOR": SENTENCE}
    if container in IN_XMP_ATOM:
        return {"xmp": XMP}
    if container == "avi" and not any(name.lower() == "comment" for name in metadata):
        return {"comment": f"{SENTENCE} {DIGITAL_SOURCE_TYPE}"}
    return {}


def add_statement(container: str, target: Path | IO[bytes]) -> None:
    """Add the box with XMP to a finished file, if its container states the origin there."""
    if container not in IN_XMP_BOX:
        return
    content = XMP_BOX.bytes + XMP.encode()
    box = (8 + len(content)).to_bytes(4, "big") + b"uuid" + content
    if isinstance(target, Path):
        with target.open("ab") as file:
            file.write(box)
    else:
        target.seek(0, 2)
        target.write(box)
