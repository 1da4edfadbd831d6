"""The eight models of the pocket suite: four families, each in two sizes of everything that open_clip calls a model, small.

A model's folder is an open_clip *local-dir*: `open_clip_config.json` and `open_clip_model.safetensors`. The image towers of
SigLIP and EVA-02 come from timm under names registered here, so import this module before open_clip loads such a folder.
"""

from pathlib import Path
from typing import Any

from timm.models import register_model
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import nn

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights"
BPE = HERE / "bpe.txt.gz"
WEIGHTS_2 = HERE / "weights2"  # the second generation, see docs/explanation/pocket2.md
BPE_2 = HERE / "bpe2.txt.gz"
FAMILIES = ("clip", "siglip", "coca", "eva02")
CONTEXT = 24  # L, tokens of a text with its start and its end
WIDTH = 96
DEPTH = 3
HEADS = 3
EMBED = 96  # D; equal to WIDTH, since SigLIP's tower has no projection


@register_model  # type: ignore[untyped-decorator]
def vit_pocket_patch8_siglip_32(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """A SigLIP image tower: no class token, attention pooling."""
    return _tower(VisionTransformer, kwargs, class_token=False, global_pool="map", weight_init="jax")


@register_model  # type: ignore[untyped-decorator]
def eva02_pocket_patch8_clip_32(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """An EVA-02-CLIP image tower: rotary positions, SwiGLU with sub-LN, split projections."""
    tower = _tower(
        Eva,
        kwargs,
        qkv_fused=False,
        swiglu_mlp=True,
        scale_mlp=True,
        scale_attn_inner=True,
        use_rot_pos_emb=True,
        ref_feat_shape=(4, 4),  # 32 / 8 patches a side
        mlp_ratio=4 * 2 / 3,  # SwiGLU has three matrices in place of two: 2/3 keeps the number of parameters
        global_pool="token",
    )
    for module in tower.modules():  # timm's deviation of .02 suits wide towers; at this width it would hardly learn
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    return tower


def _tower(kind: type[nn.Module], given: dict[str, Any], **own: Any) -> nn.Module:
    # timm passes more than a tower takes, such as the configuration and cache folder of pretrained weights
    asked = {k: v for k, v in given.items() if k in ("num_classes", "global_pool", "img_size", "drop_path_rate")}
    size = {"img_size": 32, "patch_size": 8, "embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS}
    return kind(**(size | own | asked))  # later ones win: open_clip decides on classifier and pooling


def config(family: str, vocab_size: int) -> dict[str, Any]:
    """The content of `open_clip_config.json` for a family."""
    text: dict[str, Any] = {
        "context_length": CONTEXT,
        "vocab_size": vocab_size,
        "width": WIDTH,
        "heads": HEADS,
        "layers": 2,
    }
    vision: dict[str, Any] = {
        "image_size": 32,
        "layers": DEPTH,
        "width": WIDTH,
        "head_width": WIDTH // HEADS,
        "patch_size": 8,
    }
    model: dict[str, Any] = {"embed_dim": EMBED}
    if family == "siglip":
        # about -log(127): one positive in each row of a batch of 128 at similarity 0; released models start at -10
        model |= {"init_logit_bias": -5, "custom_text": True}
        vision = {
            "image_size": 32,
            "timm_model_name": "vit_pocket_patch8_siglip_32",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",  # the pooled features are the embedding
        }
        # as in open_clip's configurations of SigLIP
        text |= {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}
    elif family == "eva02":
        model |= {"custom_text": True}
        vision = {
            "image_size": 32,
            "timm_model_name": "eva02_pocket_patch8_clip_32",
            "timm_model_pretrained": False,
            "timm_pool": "token",
            "timm_proj": None,  # the trunk's own classifier projects to D
        }
    elif family == "coca":
        model |= {
            "custom_text": True,
            "multimodal_cfg": {
                "context_length": CONTEXT,
                "vocab_size": vocab_size,
                "width": WIDTH,
                "heads": HEADS,
                "layers": 1,
                "attn_pooler_heads": HEADS,
            },
        }
        vision |= {
            "attentional_pool": True,
            "attn_pooler_queries": 16,  # as many as there are patches
            "attn_pooler_heads": HEADS,
            "output_tokens": True,
        }
        text |= {"embed_cls": True, "output_tokens": True}
    return {
        "model_cfg": model | {"vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {
            # pixels from 0..1 to -1..1, as `pretrain` scales them
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": "squash",  # to 32x32 without keeping the aspect ratio
        },
    }
