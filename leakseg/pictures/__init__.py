"""Pictures of a case for readers: key images of leaks, the levels at a glance, bone and cement in 3-D.

Radiological orientation throughout: the patient's left is on the picture's right in axial and coronal
pictures, the front on its left in sagittal ones. The same result gives the same bytes.
"""

from leakseg.pictures.album import Album, album

__all__ = ["Album", "album"]
