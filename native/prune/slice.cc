#include "prune/slice.h"

#include <algorithm>
#include <cstring>

namespace ssd_prune {
namespace {

/// A stretch of axes without a choice is one axis, and the stretch behind the last choice is one block of bytes.
struct Axis {
  size_t stride;           // bytes from one index to the next in the input
  size_t count;            // indexes in the output
  const int32_t* indexes;  // null: all of them
};

struct Plan {
  std::vector<Axis> axes;  // outermost first; the last one has a choice, unless the plan is a plain copy
  size_t run;              // bytes behind the last axis, contiguous in input and output
  const std::byte* in;
  std::byte* out;

  size_t Bytes() const {
    size_t bytes = run;
    for (const Axis& axis : axes) bytes *= axis.count;
    return bytes;
  }
};

Plan MakePlan(const SliceJob& job) {
  Plan plan{{}, job.element_size, job.bytes, job.out};
  size_t stride = job.element_size;
  for (size_t i = job.dims.size(); i-- > 0;) {
    const Kept& keep = job.keep[i];
    if (keep) {
      plan.axes.push_back({stride, keep->size(), keep->data()});
    } else if (plan.axes.empty()) {
      plan.run *= job.dims[i];
    } else if (plan.axes.back().indexes == nullptr) {
      plan.axes.back().count *= job.dims[i];
    } else {
      plan.axes.push_back({stride, job.dims[i], nullptr});
    }
    stride *= job.dims[i];
  }
  if (plan.axes.empty()) {
    // A plain copy, in rows that can be shared out.
    const size_t rows = job.dims.empty() ? 1 : job.dims[0];
    plan.run = rows == 0 ? 0 : plan.run / rows;
    plan.axes.push_back({plan.run, rows, nullptr});
  }
  std::reverse(plan.axes.begin(), plan.axes.end());
  return plan;
}

template <size_t kSize>
void GatherElements(std::byte* out, const std::byte* in, const int32_t* indexes, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(out + i * kSize, in + static_cast<size_t>(indexes[i]) * kSize, kSize);
  }
}

/// Copies `count` blocks of `run` bytes that lie `stride` = `run` bytes apart, at `indexes` or one after the other.
void CopyBlocks(std::byte* out, const std::byte* in, const int32_t* indexes, size_t count, size_t run) {
  if (indexes == nullptr) {
    if (count * run > 0) std::memcpy(out, in, count * run);
    return;
  }
  switch (run) {
    case 1:
      return GatherElements<1>(out, in, indexes, count);
    case 2:
      return GatherElements<2>(out, in, indexes, count);
    case 4:
      return GatherElements<4>(out, in, indexes, count);
    case 8:
      return GatherElements<8>(out, in, indexes, count);
    case 36:  // a 3x3 kernel of float32
      return GatherElements<36>(out, in, indexes, count);
    default:
      break;
  }
  for (size_t i = 0; i < count;) {
    // Neighbours that stay together are one copy.
    size_t end = i + 1;
    while (end < count && indexes[end] == indexes[end - 1] + 1) ++end;
    if (run > 0) std::memcpy(out + i * run, in + static_cast<size_t>(indexes[i]) * run, (end - i) * run);
    i = end;
  }
}

/// Writes everything below the first `level` axes, whose indexes are already in `in`. Returns the end of the output.
std::byte* CopyLevel(const Plan& plan, size_t level, const std::byte* in, std::byte* out, size_t from, size_t to) {
  const Axis& axis = plan.axes[level];
  if (level + 1 == plan.axes.size()) {
    const int32_t* indexes = axis.indexes == nullptr ? nullptr : axis.indexes + from;
    CopyBlocks(out, axis.indexes == nullptr ? in + from * plan.run : in, indexes, to - from, plan.run);
    return out + (to - from) * plan.run;
  }
  for (size_t i = from; i < to; ++i) {
    const size_t index = axis.indexes == nullptr ? i : static_cast<size_t>(axis.indexes[i]);
    out = CopyLevel(plan, level + 1, in + index * axis.stride, out, 0, plan.axes[level + 1].count);
  }
  return out;
}

/// A part of one job: outermost indexes from…to of its output.
struct Piece {
  const Plan* plan;
  size_t from;
  size_t to;
};

constexpr size_t kPieceBytes = 256 * 1024;

}  // namespace

size_t SlicedBytes(const SliceJob& job) {
  size_t bytes = job.element_size;
  for (size_t i = 0; i < job.dims.size(); ++i) bytes *= job.keep[i] ? job.keep[i]->size() : job.dims[i];
  return bytes;
}

void SliceBatch(std::span<const SliceJob> jobs, ThreadPool& pool) {
  std::vector<Plan> plans;
  plans.reserve(jobs.size());
  for (const SliceJob& job : jobs) plans.push_back(MakePlan(job));
  std::vector<Piece> pieces;
  for (const Plan& plan : plans) {
    const size_t bytes = plan.Bytes();
    if (bytes == 0) continue;
    const size_t count = plan.axes.front().count;
    const size_t step = std::max<size_t>(1, kPieceBytes / (bytes / count));
    for (size_t from = 0; from < count; from += step) pieces.push_back({&plan, from, std::min(count, from + step)});
  }
  pool.ForEach(pieces.size(), [&](size_t i) {
    const auto [plan, from, to] = pieces[i];
    const size_t outer_bytes = plan->Bytes() / plan->axes.front().count;
    CopyLevel(*plan, 0, plan->in, plan->out + from * outer_bytes, from, to);
  });
}

}  // namespace ssd_prune
