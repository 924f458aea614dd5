#include "prune/rank.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "kernels/isa.h"
#include "prune/channel_norms.h"
#include "prune/distance.h"
#include "prune/geometry_median.h"

namespace ssd_prune {
namespace {

/// A job on its way: what of the tensor counts, and for the geometric median its panels.
struct Work {
  const RankJob* job;
  std::unique_ptr<std::byte[]> compacted;
  ChannelView view;
  std::optional<ChannelPanels> panels;
};

/// A part of one job: channels from…to.
struct Piece {
  const Work* work;
  size_t from;
  size_t to;
};

constexpr size_t kPieceElements = 64 * 1024;

ChannelView ViewOf(const RankJob& job, const std::byte* bytes) {
  ChannelView view{bytes, job.type, 1, job.dims[job.axis], 1};
  for (size_t i = 0; i < job.dims.size(); ++i) {
    const size_t dim = job.keep[i] ? job.keep[i]->size() : job.dims[i];
    if (i < job.axis) view.outer *= dim;
    if (i > job.axis) view.inner *= dim;
  }
  return view;
}

/// Cuts every tensor of which only a part counts.
void Compact(std::span<Work> works, ThreadPool& pool) {
  std::vector<SliceJob> slices;
  for (Work& work : works) {
    const RankJob& job = *work.job;
    const bool whole =
        std::none_of(job.keep.begin(), job.keep.end(), [](const Kept& keep) { return keep.has_value(); });
    SliceJob slice{job.bytes, ElementSize(job.type), job.dims, job.keep, nullptr};
    if (!whole) {
      work.compacted = std::make_unique_for_overwrite<std::byte[]>(SlicedBytes(slice));
      slice.out = work.compacted.get();
      slices.push_back(std::move(slice));
    }
    work.view = ViewOf(job, whole ? job.bytes : work.compacted.get());
  }
  SliceBatch(slices, pool);
}

std::vector<Piece> Split(std::span<const Work> works) {
  std::vector<Piece> pieces;
  for (const Work& work : works) {
    const ChannelView& view = work.view;
    // A channel's distances cost as much as all channels' norms.
    const size_t channel_cost = view.outer * view.inner * (work.panels ? view.channels : 1);
    const size_t wanted = kPieceElements / std::max<size_t>(1, channel_cost);
    // A multiple of what the kernels take at a time, and of a cache line for channels that are neighbours.
    const size_t step = std::max<size_t>(wanted / 16 * 16, work.panels ? kPanel : 16);
    for (size_t from = 0; from < view.channels; from += step) {
      pieces.push_back({&work, from, std::min(view.channels, from + step)});
    }
  }
  return pieces;
}

}  // namespace

size_t ElementSize(DataType type) {
  size_t size = 0;
  WithElement(type, [&](auto element) { size = decltype(element)::kSize; });
  return size;
}

void RankBatch(std::span<const RankJob> jobs, ThreadPool& pool) {
  const Isa isa = ActiveIsa();
  std::vector<Work> works(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) works[i].job = &jobs[i];
  Compact(works, pool);
  pool.ForEach(works.size(), [&](size_t i) {
    if (works[i].job->criterion == Criterion::kGeometryMedian) works[i].panels.emplace(works[i].view);
  });
  const std::vector<Piece> pieces = Split(works);
  pool.ForEach(pieces.size(), [&](size_t i) {
    const auto [work, from, to] = pieces[i];
    if (work->panels) {
      work->panels->Scores(isa, from, to, work->job->scores);
    } else {
      ChannelNorms(work->view, work->job->criterion, from, to, work->job->scores);
    }
  });
}

}  // namespace ssd_prune
