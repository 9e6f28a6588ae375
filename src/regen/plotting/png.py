"""Images of pages: grids as data URIs, enlarged by the browser, and animations of grids."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from regen.plotting.plots import ORANGE, side_by_side

SMALL = 32  # pixels a side, stored exactly; larger photographs are stored as WebP in a tenth of the bytes
LARGEST = 64  # pixels a side; larger images are reduced
FRAMES = 24  # most frames of an animation
WIDEST = 480  # pixels of a frame
BUDGET = 700_000  # bytes; a larger animation loses every other frame
MILLISECONDS = 350  # per frame
HELD = 2500  # milliseconds of the last frame
BAND = 26  # pixels under a frame, for its caption


def grid(images: Tensor, columns: int = 8) -> str:
    """Encode images (B, C, H, W) in [-1, 1] as a data URI, transparent between them; non-finite pixels are grey."""
    from torchvision.utils import make_grid

    images = images.detach().cpu().float().nan_to_num(0, 0, 0)
    while max(images.shape[2:]) > LARGEST:
        images = nn.functional.avg_pool2d(images, 2, ceil_mode=True)
    images = side_by_side(images)
    pixels = images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    opaque = torch.full_like(pixels[:, :1], 255)
    made = make_grid(
        torch.cat([pixels.expand(-1, 3, -1, -1), opaque], dim=1), nrow=min(columns, len(images)), padding=1, pad_value=0
    )
    return _uri(made, "PNG" if max(images.shape[2:]) <= SMALL else "WEBP")


def _uri(picture: Tensor, kind: str) -> str:
    from PIL import Image

    image, buffer = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()), io.BytesIO()
    options = {"optimize": True} if kind == "PNG" else {"quality": 85}
    image.save(buffer, kind, **options)
    return data_uri(buffer.getvalue(), kind)


def data_uri(content: bytes, kind: str) -> str:
    """Encode a picture's file as a data URI."""
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}"


def animation(paths: Sequence[Path]) -> tuple[str, str, int]:
    """Return data URIs of an animation of images_<images seen>.png and of its last frame, and the number of frames.

    At most FRAMES, fewer for BUDGET: the first, the last, and evenly spaced others.
    """
    places = torch.linspace(0, len(paths) - 1, min(FRAMES, len(paths))).round().int().tolist()
    frames = [_frame(paths[place], places[-1], place) for place in places]
    while len(content := _webp(frames)) > BUDGET and len(frames) > 2:
        frames = [*frames[:-1:2], frames[-1]]
    return data_uri(content, "WEBP"), data_uri(_webp(frames[-1:]), "WEBP"), len(frames)


def _webp(frames: list) -> bytes:
    """Encode one picture, or an endless animation."""
    buffer, durations = io.BytesIO(), [MILLISECONDS] * (len(frames) - 1) + [HELD]
    animated = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0} if frames[1:] else {}
    frames[0].save(buffer, "WEBP", quality=70, method=2, **animated)
    return buffer.getvalue()


def _frame(path: Path, last: int, place: int):
    """Draw a picture with the number of images seen and a progress bar below it."""
    from PIL import Image, ImageDraw, ImageFont

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((WIDEST, WIDEST * picture.height))
    frame = Image.new("RGB", (picture.width, picture.height + BAND), "#222222")
    frame.paste(picture)
    pen = ImageDraw.Draw(frame)
    pen.rectangle((0, picture.height, picture.width * place // max(last, 1), picture.height + 3), fill=ORANGE)
    pen.text((6, picture.height + 7), f"{seen(path):,} images", fill="#ffffff", font=ImageFont.load_default(14))
    return frame


def seen(path: Path) -> int:
    """Parse the number of images seen from a picture's name."""
    return int(path.stem.rpartition("_")[2])
