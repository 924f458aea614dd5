// Memory of floats at cache-line (and, where it is big, huge-page) boundaries.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace ssd_prune {

struct FreeAligned {
  std::align_val_t alignment{64};
  void operator()(float* data) const { ::operator delete(data, alignment); }
};

class Buffer {
 public:
  Buffer() = default;
  /// Zeroed floats. Throws std::bad_alloc.
  explicit Buffer(size_t floats);
  float* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<float[], FreeAligned> data_;
  size_t size_ = 0;
};

/// Channels rounded up to whole vectors of the widest instruction set: the pitch of tensors and per-channel vectors.
inline size_t PitchOf(size_t channels) { return (channels + 15) / 16 * 16; }

}  // namespace ssd_prune
