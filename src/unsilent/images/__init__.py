"""Images as items: a prompt that names one, where it may lie, and what is read of it.

Nothing here needs a model; Pillow is imported when the first image is decoded.
"""

from unsilent.images.decode import decoded
from unsilent.images.items import check_pinned, shown, shows_images
from unsilent.images.pixels import MAX_PIXELS, Pixels
from unsilent.images.read import ImageReader
from unsilent.images.reference import IMAGE, ImageRef, parse_image

__all__ = [
    "IMAGE",
    "MAX_PIXELS",
    "ImageReader",
    "ImageRef",
    "Pixels",
    "check_pinned",
    "decoded",
    "parse_image",
    "shown",
    "shows_images",
]
