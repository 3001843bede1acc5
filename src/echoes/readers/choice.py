"""The readers by name: what `<track>.source.reader` may say, and the parameters each of them takes."""

from echoes.readers import astyx, ntu4dradlm, raflow, simulated, vod

READERS = {"simulated": simulated, "astyx": astyx, "raflow": raflow, "ntu4dradlm": ntu4dradlm, "vod": vod}
Source = simulated.Source | astyx.Source | raflow.Source | ntu4dradlm.Source | vod.Source
