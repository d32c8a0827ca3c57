// Marks the stretches in which a foreign library computes, so that the test that counts allocations while
// denoising can tell the library's own (oneDNN makes a small argument map for every call) from Snug's.
// Kernels that call a library hold a LibraryCall round the call; whoever counts asks inside_library_call()
// on the allocating thread. Work that the library hands to its own threads is not marked there.
#pragma once

namespace snug {

namespace detail {
inline thread_local int library_call_depth = 0;
}  // namespace detail

// True while the calling thread is inside a LibraryCall.
inline bool inside_library_call() { return detail::library_call_depth > 0; }

class LibraryCall {
 public:
  LibraryCall() { ++detail::library_call_depth; }
  ~LibraryCall() { --detail::library_call_depth; }
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;
};

}  // namespace snug
