// Attention's tiles with products of BF16 rows by AMX: attention_tiles.h's table for machines that have it.
#pragma once

#include "backend/cpu/attention_tiles.h"

namespace snug {

// Panels of 32 queries. Only where amx_ready(). Products open an AmxScope (amx.h) of their own: whoever calls
// them many times should hold one around all the calls. Fastest with blocks of keys in multiples of 32.
AttentionTiles amx_attention_tiles();

}  // namespace snug
