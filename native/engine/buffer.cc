#include "engine/buffer.h"

#include <algorithm>
#include <cstring>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ssd_prune {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

Buffer::Buffer(size_t floats) : size_(floats) {
  size_t bytes = std::max<size_t>(floats * sizeof(float), 1);
  const bool huge = bytes >= kHugePage / 4;
  if (huge) bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  const std::align_val_t alignment{huge ? kHugePage : 64};
  data_ = std::unique_ptr<float[], FreeAligned>(static_cast<float*>(::operator new(bytes, alignment)), {alignment});
#ifdef __linux__
  // Advice only: where the system has no huge pages, the memory is as good as any.
  if (huge) madvise(data_.get(), bytes, MADV_HUGEPAGE);
#endif
  std::memset(data_.get(), 0, bytes);
}

}  // namespace ssd_prune
