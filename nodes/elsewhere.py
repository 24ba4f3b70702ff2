"""What nodes of other programs are called, and which of ours does that: for people who look for what they know."""

from __future__ import annotations

from collections.abc import Mapping

ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "load.checkpoint": (
        "CheckpointLoaderSimple", "CheckpointLoader", "ImageOnlyCheckpointLoader", "main_model_loader",
        "sdxl_model_loader", "sd3_model_loader", "flux_model_loader", "StableDiffusionPipeline", "DiffusionPipeline",
    ),
    "load.denoiser": ("UNETLoader", "UNet2DConditionModel", "FluxTransformer2DModel", "SD3Transformer2DModel"),
    "load.text_encoders": ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "CLIPTextModel", "T5EncoderModel"),
    "load.vae": ("VAELoader", "vae_loader", "AutoencoderKL"),
    "text.encode": (
        "CLIPTextEncode", "CLIPTextEncodeFlux", "CLIPTextEncodeSD3", "compel", "sdxl_compel_prompt",
        "flux_text_encoder", "sd3_text_encoder",
    ),
    "text.encode_with_pictures": (
        "TextEncodeQwenImageEdit", "TextEncodeQwenImageEditPlus", "qwen_image_text_encoder",
        "QwenImageEditPlusPipeline",
    ),
    "text.sdxl_conditioning": ("CLIPTextEncodeSDXL", "CLIPTextEncodeSDXLRefiner"),
    "text.clip_skip": ("CLIPSetLastLayer", "clip_skip"),
    "text.distilled_guidance": ("FluxGuidance",),
    "group:Denoise": (
        "KSampler", "KSamplerAdvanced", "KSampler (Advanced)", "SamplerCustom", "SamplerCustomAdvanced",
        "KSamplerSelect", "CFGGuider", "BasicGuider", "DualCFGGuider", "denoise_latents", "flux_denoise",
        "sd3_denoise",
    ),
    "schedule.noise_scheduler": (
        "BasicScheduler", "ExponentialScheduler", "PolyexponentialScheduler", "BetaSamplingScheduler",
        "SDTurboScheduler", "scheduler", "EulerDiscreteScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler",
        "FlowMatchEulerDiscreteScheduler", "Flux2Scheduler",
    ),
    "schedule.karras": ("KarrasScheduler",),
    "schedule.slice": ("SplitSigmas", "SplitSigmasDenoise"),
    "sampling.trained_as": (
        "ModelSamplingDiscrete", "ModelSamplingSD3", "ModelSamplingFlux", "ModelSamplingAuraFlow",
        "ModelSamplingContinuousEDM",
    ),
    "sampling.limit_guidance": ("RenormCFG",),
    "latent.empty": (
        "EmptyLatentImage", "EmptySD3LatentImage", "EmptyHunyuanLatentVideo", "EmptyFlux2LatentImage",
    ),
    "latent.noise": ("RandomNoise", "noise"),
    "latent.resize": ("LatentUpscale", "LatentUpscaleBy", "lresize", "lscale"),
    "latent.keep_outside": ("SetLatentNoiseMask", "DifferentialDiffusion", "create_denoise_mask"),
    "vae.decode": ("VAEDecode", "VAEDecodeTiled", "l2i", "flux_vae_decode", "sd3_l2i"),
    "vae.encode": ("VAEEncode", "VAEEncodeTiled", "i2l", "flux_vae_encode", "sd3_i2l"),
    "conditioning.inpaint": ("InpaintModelConditioning", "VAEEncodeForInpaint"),
    "conditioning.reference": ("ReferenceLatent", "flux_kontext"),
    "adapter.lora": ("LoraLoader", "LoraLoaderModelOnly", "lora_loader", "lora_selector", "sdxl_lora_loader"),
    "control.load": ("ControlNetLoader", "DiffControlNetLoader", "ControlNetModel"),
    "control.apply": (
        "ControlNetApply", "ControlNetApplyAdvanced", "ControlNetApplySD3", "ControlNetInpaintingAliMamaApply",
        "SetUnionControlNetType",
    ),
    "training.lora": ("TrainLoraNode",),
    "image.load": ("LoadImage", "LoadImageMask", "LoadImageOutput"),
    "image.resize": ("ImageScale", "ImageScaleBy", "ImageScaleToTotalPixels", "img_resize", "img_scale"),
    "image.crop": ("ImageCrop", "img_crop"),
    "image.invert": ("ImageInvert",),
    "image.blend": ("ImageBlend", "ImageCompositeMasked", "img_blend", "img_paste"),
    "image.canny": ("CannyEdgePreprocessor", "canny_image_processor", "canny_edge_detection"),
    "image.grey": ("EmptyImage", "blank_image"),
    "image.grid": ("ImageGrid", "XYPlot"),
    "image.from_mask": ("MaskToImage",),
    "mask.from_image": ("ImageToMask",),
    "mask.invert": ("InvertMask",),
    "mask.rectangle": ("SolidMask", "rectangle_mask"),
    "output.save_image": ("SaveImage", "save_image"),
    "output.preview": ("PreviewImage", "show_image"),
    "list.images": ("ImageBatch",),
    "text.text": ("PrimitiveString", "PrimitiveStringMultiline", "string"),
    "text.join": ("StringConcatenate", "string_join"),
    "text.replace": ("StringReplace", "string_replace"),
    "math.number": ("PrimitiveFloat", "float"),
    "math.integer": ("PrimitiveInt", "PrimitiveNode", "integer"),
    "math.boolean": ("PrimitiveBoolean",),
    "math.expression": ("MathExpression", "integer_math", "float_math"),
    "foreach.begin": ("iterate",),
    "foreach.end": ("collect",),
    "canvas.note": ("MarkdownNote", "Note"),
    "canvas.reroute": ("Reroute",),
}  # fmt: skip
"""By our node type: the class names of ComfyUI, the type names of InvokeAI, the classes of diffusers."""
