#include "backend/cpu/onednn_primitive.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "backend/library_call.h"
#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr int kMostArguments = 6;  // source, weights, bias, destination, residual, scratchpad

}  // namespace

const dnnl::engine& onednn_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

void check_onednn(dnnl_status_t status, const char* doing) {
  if (status == dnnl_success) return;
  if (status == dnnl_out_of_memory) {
    throw Error(ErrorCode::kOutOfMemory, fmt::format("oneDNN ran out of memory {}", doing),
                "Free memory on the machine, or ask for a smaller picture.");
  }
  throw Error(ErrorCode::kInternal,
              fmt::format("oneDNN failed {} (status {})", doing, static_cast<int>(status)));
}

// A memory object keeps the pointer that it was last given: setting the same one again would only make
// oneDNN clear the padding of packed weights again.
struct OnednnPrimitive::Binding {
  dnnl::stream stream;
  std::vector<dnnl::memory> memories;
  std::vector<void*> bound;
  std::vector<dnnl_exec_arg_t> arguments;

  void bind(size_t index, void* pointer) {
    if (bound[index] == pointer) return;
    check_onednn(dnnl_memory_set_data_handle(memories[index].get(), pointer), "binding memory");
    bound[index] = pointer;
  }
};

OnednnPrimitive::OnednnPrimitive(const dnnl::primitive_desc_base& described, std::vector<Argument> arguments)
    : described_(described), arguments_(std::move(arguments)) {
  const dnnl::memory::desc scratchpad = described_.scratchpad_desc();
  scratch_bytes_ = scratchpad.get_size();
  if (scratch_bytes_ > 0) arguments_.push_back({DNNL_ARG_SCRATCHPAD, scratchpad});
  SNUG_CHECK(arguments_.size() <= kMostArguments, "no more arguments than pointers have room");
}

OnednnPrimitive::~OnednnPrimitive() = default;

std::unique_ptr<OnednnPrimitive::Binding> OnednnPrimitive::make_binding() const {
  auto binding = std::make_unique<Binding>();
  with_onednn("making memory objects", [&] {
    binding->stream = dnnl::stream(onednn_engine());
    for (const Argument& argument : arguments_) {
      binding->memories.push_back(dnnl::memory(argument.layout, onednn_engine(), DNNL_MEMORY_NONE));
      binding->arguments.push_back({argument.name, binding->memories.back().get()});
    }
  });
  binding->bound.resize(arguments_.size(), nullptr);
  return binding;
}

void OnednnPrimitive::prepare() {
  if (binding_ != nullptr) return;
  with_onednn("compiling a primitive", [&] { primitive_ = dnnl::primitive(described_.get()); });
  binding_ = make_binding();
}

void OnednnPrimitive::execute(std::span<void* const> pointers, std::byte* scratch) const {
  SNUG_CHECK(binding_ != nullptr, "prepare comes before execute");
  const size_t given = arguments_.size() - (scratch_bytes_ > 0 ? 1 : 0);
  SNUG_CHECK(pointers.size() == given, "one pointer for each argument");
  const LibraryCall call;
  const bool own = binding_taken_.test_and_set(std::memory_order_acquire);
  const std::unique_ptr<Binding> made = own ? make_binding() : nullptr;
  Binding& binding = own ? *made : *binding_;
  struct Release {
    std::atomic_flag* flag;
    ~Release() {
      if (flag != nullptr) flag->clear(std::memory_order_release);
    }
  } const release{own ? nullptr : &binding_taken_};
  for (size_t i = 0; i < given; ++i) binding.bind(i, pointers[i]);
  if (scratch_bytes_ > 0) binding.bind(given, scratch);
  check_onednn(dnnl_primitive_execute(primitive_.get(), binding.stream.get(),
                                      static_cast<int>(binding.arguments.size()), binding.arguments.data()),
               "executing a primitive");
  check_onednn(dnnl_stream_wait(binding.stream.get()), "executing a primitive");
}

void onednn_reorder(const dnnl::memory::desc& from_layout, const void* from,
                    const dnnl::memory::desc& to_layout, void* to) {
  const LibraryCall call;
  with_onednn("packing weights", [&] {
    // oneDNN takes sources by non-const pointer and does not write to them.
    dnnl::memory source(from_layout, onednn_engine(), const_cast<void*>(from));
    dnnl::memory target(to_layout, onednn_engine(), to);
    dnnl::stream stream(onednn_engine());
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
  });
}

}  // namespace snug
