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

/// Rows of a block of a product, an even number; columns of a task of a Gram matrix.
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

Orthogonalizer::Orthogonalizer(size_t longer, size_t shorter, Isa isa, Precision precision)
    : kernels_(KernelsOf(isa, precision)),
      x_(BlockedFloats(longer, shorter)),
      gram_(BlockedFloats(shorter, shorter)),
      square_(BlockedFloats(shorter, shorter)),
      packed_(PanelsOf(shorter, kernels_).floats() + kernels_.panel * shorter),
      product_(longer * PitchOf(shorter)),
      folded_(kernels_.fold == 1 ? 0 : BlockedFloats(longer, shorter)) {}

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

void Orthogonalizer::Square(const float* matrix, size_t rows, const Panels& panels, float* c, ThreadPool& pool) {
  const size_t blocks = panels.blocks();
  const float* a = matrix;
  size_t length = rows;
  if (kernels_.fold_columns != nullptr) {
    const size_t chunks = (rows + kRows - 1) / kRows;
    pool.ForEach(blocks * chunks, [&](size_t task) {
      const size_t block = task / chunks;
      const size_t row = task % chunks * kRows;
      kernels_.fold_columns(matrix + (block * rows + row) * kPackPitch, kPackPitch, std::min(kRows, rows - row),
                            PitchOf(panels.BlockSize(block)), folded_.data() + (block * rows + row / 2) * kPackPitch,
                            kPackPitch);
    });
    a = folded_.data();
    length = (rows + 1) / 2;
  }
  const size_t parts = (panels.BlockSize(0) + kColumns - 1) / kColumns;
  pool.ForEach(blocks * blocks * parts, [&](size_t task) {
    const size_t right = task % blocks;
    const size_t left = task / blocks % blocks;
    const size_t first = task / blocks / blocks * kColumns;
    if (right < left || first >= panels.BlockSize(left)) return;
    const size_t count = std::min(kColumns, panels.BlockSize(left) - first);
    const size_t from = right == left ? first : 0;
    float* to = c + (right * panels.depth + panels.BlockBegin(left) + first) * kPackPitch;
    for (size_t row = 0; row < length; row += kRows) {
      kernels_.multiply_columns(a + (left * rows + row) * kPackPitch + first, count,
                                a + (right * rows + row) * kPackPitch + from, PitchOf(panels.BlockSize(right)) - from,
                                std::min(kRows, length - row), to + from, kPackPitch, row > 0, nullptr);
    }
    float* mirrored = c + (left * panels.depth + panels.BlockBegin(right)) * kPackPitch + first;
    for (size_t column = right == left ? first + count : 0; column < panels.BlockSize(right); ++column) {
      for (size_t i = 0; i < count; ++i) mirrored[column * kPackPitch + i] = to[i * kPackPitch + column];
    }
  });
}

void Orthogonalizer::Pack(const Panels& panels, ThreadPool& pool) {
  const size_t side = panels.depth;
  const size_t width = std::min<size_t>(panels.panel, 16);  // blocks of columns begin at multiples of it
  pool.ForEach((side + width - 1) / width, [&](size_t part) {
    const size_t column = part * width;
    size_t right = 0;
    while (right + 1 < panels.blocks() && panels.BlockBegin(right + 1) <= column) ++right;
    for (size_t block = 0; block < panels.blocks(); ++block) {
      const size_t place = (right * side + panels.BlockBegin(block)) * kPackPitch + column - panels.BlockBegin(right);
      float* gram = gram_.data() + place;
      const float* square = square_.data() + place;
      float* to = packed_.data() + panels.BlockOffset(block) +
                  panels.PanelOffset(block, column / panels.panel * panels.panel) + column % panels.panel;
      for (size_t r = 0; r < panels.BlockSize(block); ++r) {
        float* row = kernels_.fold == 1 ? to + r * panels.panel : gram + r * kPackPitch;
        for (size_t i = 0; i < width; ++i) {
          row[i] = kB * gram[r * kPackPitch + i] + kC * square[r * kPackPitch + i];
        }
      }
      if (kernels_.fold_columns == nullptr) continue;
      kernels_.fold_columns(gram, kPackPitch, panels.BlockSize(block), width, to, panels.panel);
    }
  });
}

void Orthogonalizer::Multiply(size_t rows, const Panels& panels, ThreadPool& pool) {
  const size_t pitch = panels.columns;
  pool.ForEach((rows + kRows - 1) / kRows, [&](size_t task) {
    const size_t row = task * kRows;
    const size_t count = std::min(kRows, rows - row);
    float* product = product_.data() + row * pitch;
    for (size_t block = 0; block < panels.blocks(); ++block) {
      const size_t place = (block * rows + row) * kPackPitch;
      const float* left =
          LeftFactor(kernels_, x_.data() + place, count, panels.BlockSize(block), folded_.data() + place);
      kernels_.multiply_rows(left, count, panels.BlockFloats(block), packed_.data() + panels.BlockOffset(block), pitch,
                             product, pitch, block > 0, nullptr);
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
