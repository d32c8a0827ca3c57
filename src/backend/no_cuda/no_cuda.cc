#include "backend/no_cuda/no_cuda.h"

namespace snug {

const Backend* cuda_backend() { return nullptr; }
std::string_view cuda_absence() { return "this build of snug has no CUDA kernels"; }

}  // namespace snug
