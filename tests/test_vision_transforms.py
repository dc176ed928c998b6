"""Transforms: values known from their definition, and Pillow beside tensors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.vision import _image
from tinytorch.vision import transforms as T
from tinytorch.vision.transforms import functional as F
from tinytorch.vision.transforms import v2

torch = pytest.importorskip("torch")


def picture(channels: int = 3, height: int = 12, width: int = 10) -> tt.Tensor:
    """Return an image (C, H, W) of bytes, smooth enough to be resampled."""
    ys, xs = np.mgrid[:height, :width]
    planes = [100 + 60 * np.sin(xs / 3 + c) + 50 * np.cos(ys / 4 - c) for c in range(3)]
    return tt.from_numpy(np.stack(planes[:channels]).astype("u1"))


def forms(channels: int = 3, **size: int) -> dict[str, Any]:
    """Return the same image in all forms."""
    pixels = picture(channels, **size)
    made: dict[str, Any] = {"bytes": pixels, "raw": _image.RawImage(pixels)}
    if _image.pillow() is not None:
        made["pillow"] = T.ToPILImage()(pixels)
    return made


def pixels_of(image: Any) -> tt.Tensor:
    return image if isinstance(image, tt.Tensor) else F.pil_to_tensor(image)


# ---- to tensors and back ----


def test_to_tensor() -> None:
    pixels = picture()
    expected = torch.from_numpy(pixels.numpy().copy()).float().div(255)
    array = np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
    for image in (*list(forms().values())[1:], array):
        x = T.ToTensor()(image)
        assert x.dtype is tt.float32
        assert x.is_contiguous()
        assert np.array_equal(x.numpy(), expected.numpy())
    assert T.ToTensor()(array[:, :, 0]).shape == (1, 12, 10)
    floats = array.astype("f4")
    y = T.ToTensor()(floats)
    assert tt.equal(y, pixels.float())  # only bytes are scaled
    y.zero_()
    assert floats.any()  # a tensor of its own
    readonly = array.copy()
    readonly.flags.writeable = False
    T.ToTensor()(readonly)
    for wrong, error in (("text", TypeError), (np.zeros(3), ValueError)):
        with pytest.raises(error):
            T.ToTensor()(wrong)


def test_modes_of_pillow() -> None:
    image_module = pytest.importorskip("PIL.Image")
    for mode, dtype, channels in (
        ("1", tt.uint8, 1),
        ("L", tt.uint8, 1),
        ("LA", tt.uint8, 2),
        ("RGB", tt.uint8, 3),
        ("RGBA", tt.uint8, 4),
        ("I", tt.int32, 1),
        ("F", tt.float32, 1),
    ):
        image = image_module.new(mode, (5, 4), 1)
        x = F.pil_to_tensor(image)
        assert x.dtype is dtype
        assert x.shape == (channels, 4, 5)
    assert F.to_tensor(image_module.new("1", (2, 2), 1)).max() == 1


def test_to_pil_image() -> None:
    pytest.importorskip("PIL")
    pixels = picture()
    for source in (pixels, pixels.float() / 255, pixels.permute(1, 2, 0).numpy()):
        image = T.ToPILImage()(source)
        assert (image.mode, image.size) == ("RGB", (10, 12))
        assert tt.equal(T.PILToTensor()(image), pixels)
    assert T.ToPILImage()(pixels[0]).mode == "L"
    assert T.ToPILImage()(tt.zeros(4, 2, 2)).mode == "RGBA"
    assert T.ToPILImage("L")(pixels[:1]).mode == "L"
    assert T.ToPILImage("F")(tt.rand(1, 3, 3)).mode == "F"
    with pytest.raises(ValueError, match="2/3 dimensional"):
        T.ToPILImage()(tt.zeros(1, 1, 2, 2))
    with pytest.raises(TypeError, match="Tensor or ndarray"):
        T.ToPILImage()("x")


def test_normalize() -> None:
    x = tt.rand(2, 3, 4, 5)
    mean, std = (0.4, 0.5, 0.6), [0.1, 0.2, 0.3]
    reference = torch.from_numpy(x.numpy().copy())
    expected = reference.sub(torch.tensor(mean).view(-1, 1, 1)).div(
        torch.tensor(std).view(-1, 1, 1)
    )
    normalize = T.Normalize(mean, std)
    for image, wanted in ((x, expected), (x[0], expected[0])):
        assert np.array_equal(normalize(image).numpy(), wanted.numpy())
        assert np.array_equal(F.normalize(image, mean, std).numpy(), wanted.numpy())
    std[0] = 0.5  # lists are read again
    assert tt.equal(normalize(x)[:, 0], (x[:, 0] - 0.4) / 0.5)
    again = pickle.loads(pickle.dumps(normalize))
    assert tt.equal(again(x), normalize(x))
    assert normalize(x.double()).dtype is tt.float64
    y = x.clone()
    assert T.Normalize(mean, std, inplace=True)(y) is y
    assert tt.equal(y, normalize(x))
    with pytest.raises(ValueError, match="std evaluated to zero"):
        T.Normalize(mean, (0, 0, 0))(x)
    with pytest.raises(TypeError, match="should be a float tensor"):
        normalize(picture())
    with pytest.raises(ValueError, match=r"of size \(\.\.\., C, H, W\)"):
        normalize(tt.rand(3))


def test_convert_image_dtype() -> None:
    pixels = picture()
    x = F.convert_image_dtype(pixels, tt.float32)
    assert tt.equal(x, pixels.float() / 255)
    assert tt.equal(T.ConvertImageDtype(tt.uint8)(x), pixels)
    wide = F.convert_image_dtype(pixels, tt.int16)
    assert wide.max() == pixels.max().item() * 128
    assert tt.equal(F.convert_image_dtype(wide, tt.uint8), pixels)
    with pytest.raises(RuntimeError, match="cannot be performed safely"):
        F.convert_image_dtype(x, tt.int64)


# ---- place: all forms give the same pixels ----

PLACED: dict[str, Callable[[Any], Any]] = {
    "crop": lambda x: F.crop(x, 2, 3, 5, 4),
    "crop beyond": lambda x: F.crop(x, -3, -2, 9, 20),
    "crop outside": lambda x: F.crop(x, 20, 20, 4, 4),
    "crop before": lambda x: F.crop(x, -8, -8, 4, 4),
    "center": lambda x: F.center_crop(x, 6),
    "center odd": lambda x: F.center_crop(x, (7, 5)),
    "center larger": lambda x: F.center_crop(x, (17, 6)),
    "pad": lambda x: F.pad(x, 2),
    "pad 2": lambda x: F.pad(x, [1, 3], fill=7),
    "pad 4": lambda x: F.pad(x, (1, 2, 3, 4), fill=(1, 2, 3)),
    "pad edge": lambda x: F.pad(x, [1, 3], padding_mode="edge"),
    "pad reflect": lambda x: F.pad(x, [4, 3], padding_mode="reflect"),
    "pad symmetric": lambda x: F.pad(x, [4, 3], padding_mode="symmetric"),
    "hflip": F.hflip,
    "vflip": F.vflip,
    "rotate 90": lambda x: F.rotate(x, 90, expand=True),
    "rotate 180": lambda x: F.rotate(x, 180),
    "invert": F.invert,
    "posterize": lambda x: F.posterize(x, 3),
    "solarize": lambda x: F.solarize(x, 128),
    "equalize": F.equalize,
    "nearest": lambda x: F.resize(x, (24, 20), T.InterpolationMode.NEAREST),
}


@pytest.mark.parametrize("name", PLACED)
def test_all_forms_give_the_same_pixels(name: str) -> None:
    made = {form: PLACED[name](image) for form, image in forms().items()}
    expected = pixels_of(made["bytes"])
    for form, image in made.items():
        assert type(image) is type(forms()[form]), form
        assert tt.equal(pixels_of(image), expected), form


NEAR: dict[str, tuple[Callable[[Any], Any], float]] = {
    "resize": (lambda x: F.resize(x, (7, 5)), 2),
    "enlarge": (lambda x: F.resize(x, 25), 2),
    "bicubic": (lambda x: F.resize(x, 25, T.InterpolationMode.BICUBIC), 6),
    "brightness": (lambda x: F.adjust_brightness(x, 1.4), 1),
    "contrast": (lambda x: F.adjust_contrast(x, 0.6), 2),
    "saturation": (lambda x: F.adjust_saturation(x, 1.7), 2),
    "hue": (lambda x: F.adjust_hue(x, 0.2), 8),
    "gamma": (lambda x: F.adjust_gamma(x, 1.5), 1),
    "sharpness": (lambda x: F.adjust_sharpness(x, 1.8), 2),
    "grayscale": (lambda x: F.rgb_to_grayscale(x), 1),
    "grayscale 3": (lambda x: F.rgb_to_grayscale(x, 3), 1),
    "autocontrast": (lambda x: F.autocontrast(x), 1),
    "blur": (lambda x: F.gaussian_blur(x, 3), 0),
    "turned": (lambda x: F.rotate(x, 30, T.InterpolationMode.BILINEAR)[..., 4:8, 4:7]
               if isinstance(x, tt.Tensor)
               else F.crop(F.rotate(x, 30, T.InterpolationMode.BILINEAR), 4, 4, 4, 3),
               3),
    "affine": (lambda x: F.crop(
        F.affine(x, 20, (1, -1), 1.2, (5.0, 3.0), T.InterpolationMode.BILINEAR),
        4, 4, 4, 3), 3),
    "perspective": (lambda x: F.crop(F.perspective(
        x, [[0, 0], [9, 0], [9, 11], [0, 11]], [[1, 1], [8, 0], [9, 10], [0, 11]]),
        3, 3, 6, 5), 3),
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR)
def test_tensors_are_near_to_pillow(name: str) -> None:
    call, most = NEAR[name]
    made = {form: pixels_of(call(image)) for form, image in forms().items()}
    expected = made["bytes"]
    for form, x in made.items():
        assert x.shape == expected.shape, form
        assert x.dtype is expected.dtype, form
        bound = most if form == "pillow" else 0
        assert (x.int() - expected.int()).abs().max().item() <= bound, form


@pytest.mark.parametrize(
    "size, max_size, expected",
    [
        (8, None, (9, 8)),
        (20, None, (24, 20)),
        ([6], None, (7, 6)),
        ((5, 9), None, (5, 9)),
        (20, 22, (22, 18)),
        (10, None, (12, 10)),
    ],
)
def test_sizes_of_resize(size: Any, max_size: int | None, expected: Any) -> None:
    for image in forms().values():
        made = T.Resize(size, max_size=max_size)(image)
        assert F.get_dimensions(made)[1:] == list(expected)
        assert F.get_image_size(made) == [expected[1], expected[0]]
    wide = picture(1, height=10, width=20)
    assert F.resize(wide, 5).shape == (1, 5, 10)
    batch = tt.rand(2, 4, 3, 8, 6)
    assert F.resize(batch, (4, 3)).shape == (2, 4, 3, 4, 3)


def test_resize_equals_interpolate() -> None:
    """torchvision's resize of tensors is PyTorch's interpolate."""
    x = tt.rand(1, 3, 16, 12)
    for mode, value in (("bilinear", 2), ("bicubic", 3), ("nearest", 0)):
        options: dict[str, Any] = {}
        if mode != "nearest":
            options = {"align_corners": False, "antialias": True}
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(x.numpy()), (7, 9), mode=mode, **options
        )
        made = F.resize(x, (7, 9), value)
        assert np.allclose(made.numpy(), expected.numpy(), atol=1e-5)


def test_five_and_ten_crops() -> None:
    pixels = picture()
    crops = T.FiveCrop(4)(pixels)
    assert [c.shape for c in crops] == [(3, 4, 4)] * 5
    assert tt.equal(crops[1], pixels[:, :4, -4:])
    assert tt.equal(crops[2], pixels[:, -4:, :4])
    ten = T.TenCrop(4)(pixels)
    assert len(ten) == 10
    assert tt.equal(ten[5], pixels.flip(-1)[:, :4, :4])
    with pytest.raises(ValueError, match="bigger than input size"):
        T.FiveCrop(40)(pixels)


REPRS = {
    "Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.5,))\n)": T.Compose(
        [T.ToTensor(), T.Normalize((0.5,), (0.5,))]
    ),
    "Resize(size=32, interpolation=bilinear, max_size=None, antialias=True)": T.Resize(
        32
    ),
    "CenterCrop(size=(3, 3))": T.CenterCrop(3),
    "RandomCrop(size=(32, 32), padding=4)": T.RandomCrop(32, padding=4),
    "RandomHorizontalFlip(p=0.5)": T.RandomHorizontalFlip(),
    "Pad(padding=2, fill=0, padding_mode=constant)": T.Pad(2),
    "Grayscale(num_output_channels=1)": T.Grayscale(),
    "RandomRotation(degrees=[-9.0, 9.0], interpolation=nearest, expand=False, "
    "fill=0)": T.RandomRotation(9),
}


@pytest.mark.parametrize("text", REPRS)
def test_repr(text: str) -> None:
    assert repr(REPRS[text]) == text
    again = pickle.loads(pickle.dumps(REPRS[text]))
    assert repr(again) == text


def test_wrong_options() -> None:
    for call, error in (
        (lambda: T.RandomRotation(-1), ValueError),
        (lambda: T.RandomAffine(0, translate=(2, 0)), ValueError),
        (lambda: T.RandomAffine(0, scale=(0, 1)), ValueError),
        (lambda: T.ColorJitter(-1), ValueError),
        (lambda: T.ColorJitter(hue=0.7), ValueError),
        (lambda: T.ColorJitter("x"), TypeError),
        (lambda: T.Resize(2.5), TypeError),
        (lambda: T.Resize((1, 2, 3)), ValueError),
        (lambda: T.Pad(1, padding_mode="wrap"), ValueError),
        (lambda: T.GaussianBlur(4), ValueError),
        (lambda: T.Lambda(3), TypeError),
        (lambda: F.hflip("x"), TypeError),
        (lambda: F.adjust_hue(picture(), 0.6), ValueError),
        (lambda: T.RandomCrop(50)(picture()), ValueError),
        (lambda: F.resize(picture(), 5, "bilinear"), TypeError),
        (lambda: F.resize(picture(), 5, 1), ValueError),
    ):
        with pytest.raises(error):
            call()


def test_names_of_v2() -> None:
    pixels = picture()
    usual = v2.Compose([v2.ToImage(), v2.ToDtype(tt.float32, scale=True)])
    for image in forms().values():
        x = usual(image)
        assert x.dtype is tt.float32
        assert tt.equal(x, pixels.float() / 255)
    array = pixels.permute(1, 2, 0).numpy()
    assert tt.equal(v2.ToImage()(array), pixels)
    assert v2.ToImage()(array[:, :, 0]).shape == (1, 12, 10)
    assert tt.equal(v2.ToDtype(tt.float32)(pixels), pixels.float())
    assert v2.RandomCrop is T.RandomCrop
