// A picture in host memory as decoders give it and encoders take it, and its conversions to the tensors that
// models see. Called by pipeline (init image, mask, results); reading and writing files is decode_picture.h
// and encode_picture.h.
//
// Tensors here hold values in [0, 1]; the autoencoder's [-1, 1] is the pipeline's business (2x - 1).
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/host_tensor.h"

namespace snug {

// 8 bit samples, rows from the top, no padding. Colour profiles and gamma are not applied.
struct Picture {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;    // H W 3
  std::vector<uint8_t> alpha;  // H W, 255 is opaque; empty when the picture has no transparency
};

// [1, 3, H, W] F32: sample / 255. Alpha is dropped without blending, as Pillow's convert("RGB") does.
HostTensor picture_to_tensor(const Picture& picture);

// Image `batch_index` of `images`, [N, 3, H, W] F32 in [0, 1]: round(255 * value), halves to even, as numpy's
// round in diffusers' numpy_to_pil. Values outside [0, 1] are clamped, NaN gives 0. Shape and index are
// SNUG_CHECKed.
Picture tensor_to_picture(const HostTensor& images, int64_t batch_index);

// [1, 1, H, W] F32 in [0, 1], not yet made binary: white (1) is to be repainted. Luminance as Pillow's
// convert("L"), ITU-R 601: (19595 R + 38470 G + 7471 B + 32768) >> 16.
HostTensor mask_from_luminance(const Picture& picture);

// [1, 1, H, W] F32 in [0, 1]: transparent (alpha 0) gives 1, to be repainted. A picture without alpha gives 0
// everywhere.
HostTensor mask_from_alpha(const Picture& picture);

}  // namespace snug
