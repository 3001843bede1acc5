"""A page of frames is one file: what it holds decodes back, it refers to nothing outside, and it is small enough."""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from echoes import seeds
from echoes.reports import page, scenes
from echoes.reports.scenes import Layer, Picture, Scene

HOSTILE = "</script><script>alert('{{script}}')</script> & \u2028"
VIEW = {"camera": {"centre": [0, 0, 0], "distance": 50}, "reach": 50, "size": 0.4, "rate": 5}
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
REPORTS = Path(scenes.__file__).parent


def layer(name: str, count: int, *quantities: str) -> Layer:
    rng = seeds.rng(0, name, count)
    values = {quantity: rng.normal(0, 20, count).astype(np.float32) for quantity in quantities}
    return Layer(name, rng.uniform((0, -25, -2), (50, 25, 4), (count, 3)).astype(np.float32), values, {"F1 @1m": 0.5})


SCENES = [
    Scene("first", [layer("radar", 40, "power"), layer("LiDAR", 300)]),
    Scene(HOSTILE, [layer("radar", 0, "power"), layer("LiDAR", 1)]),
]


class Elements(HTMLParser):
    """Scripts and attributes of a page, and what was opened and never closed."""

    VOID = ("meta", "input", "img")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: list[tuple[dict, str]] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = attrs, text + data


def parsed(path: Path) -> Elements:
    found = Elements()
    found.feed(path.read_text())
    found.close()
    assert found.open == []
    return found


def frames(path: Path) -> list[dict]:
    return [json.loads(text) for attrs, text in parsed(path).scripts if attrs.get("class") == "frame"]


def decoded(stored: dict, box: list) -> np.ndarray:
    """(N, 3) as a browser decodes it."""
    shares = np.frombuffer(b64decode(stored["xyz"]), "<u2").reshape(-1, 3) / 65535
    return np.array(box[0]) + shares * (np.array(box[1]) - box[0])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    assert scenes.write(f"radar {HOSTILE}", VIEW, SCENES, path) == len(SCENES)
    return path


def test_points_decode_to_where_they_were_within_half_a_step(written):
    found = frames(written)
    assert [frame["title"] for frame in found] == ["first", HOSTILE]
    for frame, scene in zip(found, SCENES, strict=True):
        steps = (np.array(frame["box"][1]) - frame["box"][0]) / 65535
        for stored, made in zip(frame["layers"], scene.layers, strict=True):
            assert stored["count"] == stored["shown"] == len(made.points)
            assert (np.abs(decoded(stored, frame["box"]) - made.points) <= steps / 2 + 1e-5).all()
            for name, values in made.values.items():
                lo, hi, text = stored["values"][name]
                shades = np.frombuffer(b64decode(text), "u1")
                assert (np.abs(lo + shades / 255 * (hi - lo) - values) <= (hi - lo) / 510 + 1e-4).all()


def test_a_page_is_whole_and_refers_to_nothing_outside(written):
    text = written.read_text()
    assert not re.search(r"https?:|url\(|@import|\bimport\b.*from|fetch\(", text)
    found = parsed(written)
    assert not [name for name, _ in found.attributes if name in ("src", "href", "srcset", "action")]
    assert len(found.scripts) == 2 + len(SCENES)
    assert "{{" not in text.replace("{{script}}", "")


def test_what_is_written_on_a_page_is_text_wherever_it_comes_from(written):
    text = written.read_text()
    assert "alert('{{script}}')</script>" not in text
    assert text.count("&lt;/script&gt;&lt;script&gt;alert(") == 2  # the title, in the head and above
    assert json.loads(page.script({"a": HOSTILE})) == {"a": HOSTILE}


def test_frames_of_more_points_than_a_page_has_room_for_are_thinned_evenly_and_small_layers_stay_whole(tmp_path):
    large, small = layer("LiDAR", 60_000), layer("radar", 300, "power", "doppler", "probability")
    scenes.write("large", VIEW, [Scene("one", [small, large])], tmp_path / "page.html")
    (frame,) = frames(tmp_path / "page.html")
    of_small, of_large = frame["layers"]
    assert (of_small["shown"], of_large["count"]) == (300, 60_000)
    assert of_large["shown"] == (scenes.BUDGET - 9 * 300) // 6
    places = decoded(of_large, frame["box"])
    np.testing.assert_allclose(places[[0, -1]], large.points[[0, -1]], atol=1e-3)
    bare = tmp_path / "bare.html"
    scenes.write("large", VIEW, [], bare)
    per_frame = (tmp_path / "page.html").stat().st_size - bare.stat().st_size
    assert bare.stat().st_size + 100 * per_frame <= 10e6


def test_pictures_are_bytes_in_their_order_and_shrink_to_what_there_is_room_for(tmp_path):
    ramp = np.linspace(-1, 1, 64 * 32).reshape(1, 64, 32)
    small = scenes.packed(Scene("a", pictures=[Picture("real", ramp)]))["pictures"][0]
    values = np.frombuffer(b64decode(small["data"]), "u1").reshape(small["shape"]) / 127.5 - 1
    np.testing.assert_allclose(values, ramp, atol=1 / 255 + 1e-6)
    large = [Picture(name, np.full((3, 256, 256), 0.2)) for name in "abc"]
    found = scenes.packed(Scene("b", pictures=large))["pictures"]
    assert [one["shape"] for one in found] == [[3, 64, 64]] * 3
    assert sum(len(b64decode(one["data"])) for one in found) <= scenes.BUDGET


def test_a_page_that_cannot_be_finished_is_not_there(tmp_path):
    def broken():
        yield SCENES[0]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        scenes.write("broken", VIEW, broken(), tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_browser_decodes_the_same_points_and_draws_the_nearest_of_two(written):
    told = frames(written)[0]
    code = (
        (REPORTS / "view.js").read_text()
        + """
      const frame = JSON.parse(require("fs").readFileSync(0, "utf8")), radar = frame.layers[0];
      const xyz = places(radar, frame.box), width = 9, height = 9;
      const picture = {width, height, pixels: new Uint32Array(81), depth: new Float32Array(81).fill(Infinity)};
      const ahead = {yaw: Math.PI, pitch: 0, distance: 10, centre: [0, 0, 0]};  // at x = -10 m, looking along x
      splat(picture, ahead, Float32Array.from([5, 0, 0, 2, 0, 0, 0, 3, 0]), 0, 1, i => i + 1);
      console.log(JSON.stringify({xyz: [...xyz], power: [...measured(radar, "power", xyz)],
        none: measured(radar, "doppler", xyz), height: [...measured(radar, "height", xyz)],
        middle: picture.pixels[4 * 9 + 4], left: picture.pixels.indexOf(3) % 9, ends: ends([frame], "height"),
        grey: lookup([[0, 0, 0], [255, 255, 255]], 1)[128]}));
    """
    )
    done = subprocess.run(["node", "-e", code], input=json.dumps(told), capture_output=True, text=True, check=True)
    found, radar = json.loads(done.stdout), SCENES[0].layers[0]
    np.testing.assert_allclose(np.reshape(found["xyz"], (-1, 3)), radar.points, atol=1e-3)
    np.testing.assert_allclose(found["power"], radar.values["power"], atol=0.3)
    np.testing.assert_allclose(found["height"], radar.points[:, 2], atol=1e-3)
    assert found["none"] is None
    assert found["middle"] == 2  # the nearer one
    assert found["left"] < 4  # y is to the left
    assert -2 <= found["ends"][0] < found["ends"][1] <= 4
    assert found["grey"] == 0xFF808080


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="needs a browser")
def test_a_browser_shows_the_first_frame_without_an_error(written):
    browser = next(found for name in BROWSERS if (found := shutil.which(name)))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", written.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "1 of 2: first" in shown
    assert re.search(r'<th scope="row">LiDAR</th><td>300</td><td>0\.500</td>', shown)
