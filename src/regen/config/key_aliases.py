"""Names of keys in other programs, and their equivalents here."""

from collections.abc import Collection

ITERATIONS = "iterations iteration iters iter steps step n_iter niter num_steps max_steps total_steps n_iterations"
FOLDERS = "dataroot data_root data_dir datadir data_path dataset_path folder images"
ALIASES = {  # names: equivalent to type; {} is the value
    "lr learning_rate learningrate lrate base_lr": "model.optimizer_g.lr={} model.optimizer_d.lr={}",
    "lr_g g_lr": "model.optimizer_g.lr={}",
    "lr_d d_lr": "model.optimizer_d.lr={}",
    "batch bs batchsize batch-size": "data.batch_size={}",
    ITERATIONS: "max_iterations={}",
    "num_workers n_workers": "data.workers={}",
    "dataset": "data={}",
    FOLDERS: "data=folder data.root={}",
    "img_size size resolution imsize imagesize image-size": "data.image_size={}",
    "z_dim zdim nz latent_size latent_dim latent": "model.latent_dim={}",
    "n_critic critic_iters d_iters": "model.n_critic={}",
    "ema": "model.ema_decay={}",
    "ema_rampup_ratio": "model.ema_rampup={}",
    "warmup warmup_steps warmup_iterations n_warmup": "model.lr_warmup_g={} model.lr_warmup_d={}",
    "grad_clip clip_grad clip_grad_norm max_grad_norm gradient_clip_val clip_norm": "model.clip_norm_g={} model.clip_norm_d={}",
    "lambda lam strength weight coefficient": "lambda_g={} for G's loss or lambda_d={} for D's",
    "net arch architecture backbone": "network={}",
    "objective criterion": "loss={}",
    "reg penalty": "regularizer={}",
    "output output_dir outdir out_dir save_dir logdir log_dir": "hydra.run.dir={}",
    "ckpt checkpoint resume_from load": "resume={}",
    "random_seed rng_seed manual_seed": "seed={}",
    "num_gpus n_gpus gpu gpus": "trainer=ddp trainer.devices={}",
    "nodes n_nodes": "trainer.num_nodes={}",
    "early_stopping": "patience={}",
    "num_samples n_samples nsamples": "n={}",
}
OPTIMIZERS = {name.lower(): name for name in ("Adam", "AdamW", "SGD", "RMSprop", "RAdam", "NAdam", "Adagrad", "Adamax")}
EPOCHS = ("epochs", "epoch", "max_epochs", "num_epochs", "n_epochs", "kimg")
DIGITS = 1257  # training images of data=digits


def instead(key: str, value: str, keys: Collection[str]) -> str | None:
    """Return what to type instead of KEY=VALUE with an unknown key, or None."""
    name = key.lower()
    if name in EPOCHS and "max_images" in keys:
        return _length(name, value)
    if (text := _device(name, value)) and "trainer" in keys:
        return text
    if name in ("optimizer", "optim") and "model.optimizer_g" in keys:
        target = f"torch.optim.{OPTIMIZERS.get(value.lower(), 'Adam')}"
        return f"model.optimizer_g._target_={target} model.optimizer_d._target_={target}"
    if name in ("scheduler", "lr_scheduler", "lr_schedule") and "model.optimizer_g" in keys:
        return f"recipe={'linear' if 'linear' in value.lower() else 'cosine'}_decay"
    for names, text in ALIASES.items():
        if name in names.split() and all(word.partition("=")[0] in keys for word in text.split() if "={}" in word):
            return text.replace("{}", value)
    same = [known for known in dict.fromkeys(keys) if known.rpartition(".")[2] == name and "." in known]
    ends = [known for known in same if not known.startswith(("regularizer.", "metrics."))] or same
    return " or ".join(f"{known}={value}" for known in ends) if 0 < len(ends) < 4 else None


def _length(name: str, value: str) -> str:
    if name == "kimg":
        return f"max_images={_times(value, 1000) or '…'}"
    images = _times(value, DIGITS)
    example = f", as max_images={images} for data=digits" if images else ""
    return f"max_images=N, where N is {value} times the number of training images{example}; or max_iterations=10000"


def _times(value: str, factor: int) -> int | None:
    try:
        return round(float(value) * factor)
    except ValueError:
        return None


def _device(name: str, value: str) -> str | None:
    if name in ("gpu", "gpus", "num_gpus", "n_gpus", "cuda", "device", "accelerator"):
        chosen = value.lower()
        if chosen in ("0", "cpu", "false", "no", "none"):
            return "trainer=cpu"
        if chosen in ("1", "gpu", "cuda", "cuda:0", "true", "yes", "all"):
            return "trainer=gpu"
    if name in ("wandb", "use_wandb"):
        return "logger=wandb" if value.lower() in ("1", "true", "yes") else "logger=csv"
    if name in ("amp", "fp16", "bf16", "mixed_precision"):
        return "trainer.precision=bf16-mixed"
    return None
