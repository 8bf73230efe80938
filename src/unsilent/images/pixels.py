"""What a vision model is shown, and how large it may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3) red, green and blue, 0 to 255, upright."""

MAX_PIXELS = 40_000_000
"""Of one image: 120 MB once it is decoded."""

MAX_FILE_BYTES = 64 << 20
"""Of one encoded image."""

MAX_ARRAY_BYTES = 512 << 20
"""Of one array of an npz, unpacked."""
