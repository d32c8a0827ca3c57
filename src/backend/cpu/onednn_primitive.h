// One oneDNN primitive: described while planning, compiled in prepare(), executed on pointers into the arena.
// Used by onednn_kernels.cc; it knows nothing of operations.
//
// Threads: execute may be called from several threads at once. The memory objects that carry the pointers
// exist once, made by prepare(); a call that comes while another one uses them makes its own, which costs
// allocations but is never wrong. In the executor, which runs one node at a time, a call allocates only what
// oneDNN itself does for the length of the call: its map of arguments, 300 to 400 bytes in 6 to 9 pieces
// (measured, all kinds of kernel), inside a LibraryCall.
//
// Thread count: the primitive and its scratch are laid out for the thread_count() at construction. Fewer
// threads may run it later, more may not.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <dnnl.hpp>

namespace snug {

// The CPU engine of the process.
const dnnl::engine& onednn_engine();

// Runs body(), turning oneDNN's errors into Error (out_of_memory or internal); `doing` goes into the message.
template <typename Body>
void with_onednn(const char* doing, Body&& body);

class OnednnPrimitive {
 public:
  // What one argument of execute is: oneDNN's name for it (DNNL_ARG_SRC, ...) and its layout.
  struct Argument {
    int name = 0;
    dnnl::memory::desc layout;
  };

  // `described` must ask for the user's scratchpad. `arguments` has neither the scratchpad nor anything
  // absent.
  OnednnPrimitive(const dnnl::primitive_desc_base& described, std::vector<Argument> arguments);
  ~OnednnPrimitive();
  OnednnPrimitive(const OnednnPrimitive&) = delete;
  OnednnPrimitive& operator=(const OnednnPrimitive&) = delete;

  size_t scratch_bytes() const { return scratch_bytes_; }
  // Compiles. Equal primitives are compiled once in a process: oneDNN keeps them (1024 by default).
  void prepare();
  // pointers[i] is where argument i lies.
  void execute(std::span<void* const> pointers, std::byte* scratch) const;

 private:
  struct Binding;  // memory objects and the argument list over them

  std::unique_ptr<Binding> make_binding() const;

  dnnl::primitive_desc_base described_;
  std::vector<Argument> arguments_;
  size_t scratch_bytes_ = 0;
  dnnl::primitive primitive_;
  std::unique_ptr<Binding> binding_;
  mutable std::atomic_flag binding_taken_;
};

// Writes `from`, which lies as `from_layout` says, to `to`, converting layout and element type.
void onednn_reorder(const dnnl::memory::desc& from_layout, const void* from,
                    const dnnl::memory::desc& to_layout, void* to);

// Throws the Error for a status other than success.
void check_onednn(dnnl_status_t status, const char* doing);

template <typename Body>
void with_onednn(const char* doing, Body&& body) {
  try {
    body();
  } catch (const dnnl::error& error) {
    check_onednn(error.status, doing);
  }
}

}  // namespace snug
