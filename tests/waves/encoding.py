def encoded(encode, data, frames):
    mean, std = encode(data.target_batch(frames))
    return {"latents": mean, "std": std, "labels": data.labels(frames)}
