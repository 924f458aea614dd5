#include "train/orthogonalizer.h"

#include <algorithm>
#include <cmath>

namespace ssd_prune {
namespace {

constexpr int kSteps = 5;
constexpr float kA = 3.4445F;
constexpr float kB = -4.7750F;
constexpr float kC = 2.0315F;
constexpr double kSmall = 1e-7;

/// Rows of a block of a product; columns of a task of a Gram matrix.
constexpr size_t kRows = 112;
constexpr size_t kColumns = 64;

/// Blocks of columns lie one after the other, rows kPackPitch apart: products read them where they are.
size_t BlockedFloats(size_t rows, size_t columns) {
  return rows * kPackPitch * ((columns + kPackColumns - 1) / kPackColumns);
}

Panels PanelsOf(size_t side, const Kernels& kernels) { return {side, PitchOf(side), kernels}; }

/// Calls body(column of the matrix, place of its first number) for the columns of an upright matrix in blocks.
template <typename Body>
void ForColumns(size_t rows, const Panels& panels, const Body& body) {
  for (size_t block = 0; block < panels.blocks(); ++block) {
    for (size_t c = 0; c < panels.BlockSize(block); ++c) {
      body(panels.BlockBegin(block) + c, block * rows * kPackPitch + c);
    }
  }
}

}  // namespace

Orthogonalizer::Orthogonalizer(size_t longer, size_t shorter, Isa isa)
    : kernels_(KernelsOf(isa)),
      x_(BlockedFloats(longer, shorter)),
      gram_(BlockedFloats(shorter, shorter)),
      square_(BlockedFloats(shorter, shorter)),
      packed_(PanelsOf(shorter, kernels_).floats() + kernels_.panel * shorter),
      product_(longer * PitchOf(shorter)) {}

void Orthogonalizer::Run(float* matrix, size_t rows, size_t columns, ThreadPool& pool) {
  const bool upright = rows >= columns;
  const size_t longer = upright ? rows : columns;
  const Panels panels = PanelsOf(upright ? columns : rows, kernels_);
  const size_t along = upright ? columns : 1;   // from one row of the upright matrix to the next
  const size_t across = upright ? 1 : columns;  // and from one of its columns to the next
  double squares = 0.0;
  for (size_t i = 0; i < rows * columns; ++i) squares += static_cast<double>(matrix[i]) * matrix[i];
  const auto scale = static_cast<float>(1.0 / (std::sqrt(squares) + kSmall));

  std::fill_n(x_.data(), BlockedFloats(longer, panels.depth), 0.0F);
  ForColumns(longer, panels, [&](size_t column, size_t place) {
    const float* from = matrix + column * across;
    for (size_t r = 0; r < longer; ++r) x_.data()[place + r * kPackPitch] = from[r * along] * scale;
  });
  for (int step = 0; step < kSteps; ++step) {
    Square(x_.data(), longer, panels, gram_.data(), pool);
    Square(gram_.data(), panels.depth, panels, square_.data(), pool);
    Pack(panels, pool);
    Multiply(longer, panels, pool);
  }
  ForColumns(longer, panels, [&](size_t column, size_t place) {
    float* to = matrix + column * across;
    for (size_t r = 0; r < longer; ++r) to[r * along] = x_.data()[place + r * kPackPitch];
  });
}

void Orthogonalizer::Square(const float* a, size_t rows, const Panels& panels, float* c, ThreadPool& pool) {
  const size_t blocks = panels.blocks();
  const size_t parts = (panels.BlockSize(0) + kColumns - 1) / kColumns;
  pool.ForEach(blocks * blocks * parts, [&](size_t task) {
    const size_t right = task % blocks;
    const size_t left = task / blocks % blocks;
    const size_t first = task / blocks / blocks * kColumns;
    if (first >= panels.BlockSize(left)) return;
    const size_t count = std::min(kColumns, panels.BlockSize(left) - first);
    float* to = c + (right * panels.depth + panels.BlockBegin(left) + first) * kPackPitch;
    for (size_t row = 0; row < rows; row += kRows) {
      kernels_.multiply_columns(a + (left * rows + row) * kPackPitch + first, count,
                                a + (right * rows + row) * kPackPitch, PitchOf(panels.BlockSize(right)),
                                std::min(kRows, rows - row), to, kPackPitch, row > 0, nullptr);
    }
  });
}

void Orthogonalizer::Pack(const Panels& panels, ThreadPool& pool) {
  const size_t side = panels.depth;
  const size_t blocks = panels.blocks();
  pool.ForEach(blocks, [&](size_t block) {
    float* packed = packed_.data() + panels.BlockOffset(block);
    const size_t depth = panels.BlockSize(block);
    std::fill_n(packed, depth * panels.panels() * panels.panel, 0.0F);
    ForColumns(side, panels, [&](size_t column, size_t place) {
      place += panels.BlockBegin(block) * kPackPitch;
      float* to = packed + column / panels.panel * panels.panel * depth + column % panels.panel;
      for (size_t r = 0; r < depth; ++r) {
        to[r * panels.panel] = kB * gram_.data()[place + r * kPackPitch] + kC * square_.data()[place + r * kPackPitch];
      }
    });
  });
}

void Orthogonalizer::Multiply(size_t rows, const Panels& panels, ThreadPool& pool) {
  const size_t pitch = panels.columns;
  pool.ForEach((rows + kRows - 1) / kRows, [&](size_t task) {
    const size_t row = task * kRows;
    const size_t count = std::min(kRows, rows - row);
    float* product = product_.data() + row * pitch;
    for (size_t block = 0; block < panels.blocks(); ++block) {
      kernels_.multiply_rows(x_.data() + (block * rows + row) * kPackPitch, count, panels.BlockSize(block),
                             packed_.data() + panels.BlockOffset(block), pitch, product, pitch, block > 0, nullptr);
    }
    for (size_t block = 0; block < panels.blocks(); ++block) {
      for (size_t r = 0; r < count; ++r) {
        float* x = x_.data() + (block * rows + row + r) * kPackPitch;
        const float* y = product + r * pitch + panels.BlockBegin(block);
        for (size_t c = 0; c < panels.BlockSize(block); ++c) x[c] = kA * x[c] + y[c];
      }
    }
  });
}

}  // namespace ssd_prune
