"""The readers by name: what `<track>.source.reader` may say, and the parameters each of them takes."""

from echoes.readers import acconeer, adc, cw24, images, mars, mixed, simulated_people

CLOUDS = mixed.READERS | {"mixed": mixed}
RECORDINGS = {
    "simulated_people": simulated_people,
    "mars": mars,
    "cw24": cw24,
    "acconeer": acconeer,
    "adc": adc,
    "images": images,
}
READERS = CLOUDS | RECORDINGS

CloudSource = mixed.Single | mixed.Source
RecordingSource = simulated_people.Source | mars.Source | cw24.Source | acconeer.Source | adc.Source | images.Source
Source = CloudSource | RecordingSource
