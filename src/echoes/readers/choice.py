"""The readers by name: what `<track>.source.reader` may say, and the parameters each of them takes."""

from echoes.readers import (
    acconeer,
    adc,
    astyx,
    cw24,
    images,
    mars,
    ntu4dradlm,
    raflow,
    simulated,
    simulated_people,
    vod,
)

CLOUDS = {"simulated": simulated, "astyx": astyx, "raflow": raflow, "ntu4dradlm": ntu4dradlm, "vod": vod}
RECORDINGS = {
    "simulated_people": simulated_people,
    "mars": mars,
    "cw24": cw24,
    "acconeer": acconeer,
    "adc": adc,
    "images": images,
}
READERS = CLOUDS | RECORDINGS

CloudSource = simulated.Source | astyx.Source | raflow.Source | ntu4dradlm.Source | vod.Source
RecordingSource = simulated_people.Source | mars.Source | cw24.Source | acconeer.Source | adc.Source | images.Source
Source = CloudSource | RecordingSource
