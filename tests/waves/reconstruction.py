import torch


@torch.no_grad()
def error(vae, data):
    clean = torch.from_numpy(data.target_batch(data.frames("val")))
    return float((vae.decode(vae.encode(clean).mean) - clean).abs().mean())


def scores(vae, data, split):
    return {"val_mae": error(vae, data)}
