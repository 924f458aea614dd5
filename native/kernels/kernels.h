// The inner loops of training, one table of functions an instruction set. Tensors are NHWC, float32; a "row" is one
// place of one picture with all its channels, rows lie `pitch` floats apart, and a pitch is a multiple of 16 floats, so
// that whole registers may be read and written past the last channel. Padding is zero on the way in and out. Where
// products multiply bfloat16, tensors may be stored so too, two numbers in a float: `half`, with a multiple of 8 floats
// from row to row. What happens to a number between reading and writing is float32 either way.
#pragma once

#include <cstddef>

#include "kernels/isa.h"

namespace ssd_prune {

/// What products multiply, and what tensors between them are stored as: float32, or rounded to bfloat16, two numbers in
/// the place of one. Sums, weights and their gradients are float32 either way.
enum class Precision { kFloat32 = 0, kBfloat16 = 1 };

/// Columns of a packed block, and floats from one of its rows to the next: 17 cache lines, an odd number, so that the
/// rows of a block fall into different sets of the first-level cache, and a constant, so that a tile's rows are
/// constant displacements from one register.
inline constexpr size_t kPackColumns = 256;
inline constexpr size_t kPackPitch = kPackColumns + 16;

/// How stored numbers are read: clip(x·scale + shift + second·second_scale), with one scale, shift and second_scale a
/// channel. Without `scale` numbers are taken as stored; without `second` that term is 0, with it nothing is clipped.
struct Source {
  const float* x = nullptr;
  size_t pitch = 0;
  const float* scale = nullptr;
  const float* shift = nullptr;
  float low = 0;
  float high = 0;
  const float* second = nullptr;  // same pitch as x
  const float* second_scale = nullptr;
  bool half = false;  // x and second

  /// Numbers from row to row.
  size_t numbers() const { return half ? 2 * pitch : pitch; }
};

/// What becomes of an operation's fresh output y: y + bias, clipped, written; and two sums a channel over the rows, of
/// (y − pivot) and (y − pivot)², added to `sums` (two vectors `pitch` apart). Null pointers leave a part out.
///
/// The pivot is the first row of the first call: a number as good as any of its channel, so that the variance is no
/// small difference of big sums, however far the mean is from 0.
struct ForwardFinish {
  const float* bias = nullptr;
  bool clip = false;
  float low = 0;
  float high = 0;
  double* sums = nullptr;
  size_t sums_pitch = 0;
  float* pivot = nullptr;
  /// Rows so far.
  size_t* rows = nullptr;
  /// The output is too big to be in a cache when it is read: write past the caches.
  bool stream = false;
  /// The output is stored so.
  bool half = false;
};

/// What becomes of a fresh gradient g of what readers of a tensor x saw: g (+ what is in the output already), kept
/// where low < x·scale + shift < high, written; and two sums a channel, of that and of that times (x − pivot), added
/// to `sums`. Without `x` it is written as it is; without `scale` x itself is compared; without `pivot` only the first
/// sum is made.
struct BackwardFinish {
  bool add = false;
  bool stream = false;       // not with `add`
  bool half = false;         // x and the output are stored so
  const float* x = nullptr;  // same pitch as the output
  const float* scale = nullptr;
  const float* shift = nullptr;
  float low = 0;
  float high = 0;
  const float* pivot = nullptr;
  double* sums = nullptr;
  size_t sums_pitch = 0;
};

/// One tap of a depthwise convolution: where its numbers for output 0 lie, and its weights, one a channel.
struct Tap {
  const float* x;
  const float* weight;
};

/// Memory that is needed soon. Products ask for it between their tiles, so that it comes while they compute.
struct Ahead {
  struct Range {
    const float* at = nullptr;
    const float* end = nullptr;
  };
  Range ranges[4];
  /// Cache lines to ask for in one call.
  size_t lines = 0;
};

struct Kernels {
  Isa isa;
  /// Columns of a panel of the second factor: `multiply_rows` reads it as [column / panel][k][panel].
  size_t panel;
  /// Rows that a tile of multiply_rows has at most.
  size_t tile_rows;
  /// Numbers of a reduction that a float of both factors of a product holds: 1, or with bfloat16 2, the first in the
  /// lower half. Products count their reductions (`k`, `rows`) in such floats.
  size_t fold;

  /// out[r][⌈columns / 2⌉] = pairs of neighbours in a row of in[rows][columns], for `a` of multiply_rows; and
  /// out[⌈rows / 2⌉][columns] = pairs of neighbours in a column, for everything else: b of multiply_rows, both factors
  /// of multiply_columns. What an odd number lacks is 0. `out` may be `in` with the same pitch. Whole registers are
  /// read and written: `fold_columns` takes columns up to the next multiple of 16 along. Null where `fold` is 1.
  void (*fold_rows)(const float* in, size_t in_pitch, size_t rows, size_t columns, float* out, size_t out_pitch);
  void (*fold_columns)(const float* in, size_t in_pitch, size_t rows, size_t columns, float* out, size_t out_pitch);

  /// c[rows][columns] = a·b, or += where `add`. `a` is a packed block of `k` ≤ kPackColumns columns, b in panels of
  /// k·panel floats each; columns are a multiple of 16. `ahead` may be null, here and below.
  void (*multiply_rows)(const float* a, size_t rows, size_t k, const float* b, size_t columns, float* c, size_t c_pitch,
                        bool add, Ahead* ahead);

  /// c[a_columns][b_columns] = aᵀ·b, or += where `add`: the sum over `rows` of two packed blocks. b_columns is a
  /// multiple of 16; a_columns is any number.
  void (*multiply_columns)(const float* a, size_t a_columns, const float* b, size_t b_columns, size_t rows, float* c,
                           size_t c_pitch, bool add, Ahead* ahead);

  /// out[r][0 … channels) = row `row` + r of the source, from `channel` on. Writes whole registers.
  void (*read_rows)(const Source& source, size_t row, size_t rows, size_t channel, size_t channels, float* out,
                    size_t out_pitch);

  /// `y` may be `out`, but not of `half`. Channels are a multiple of 16.
  void (*finish_forward)(const ForwardFinish& finish, const float* y, size_t y_pitch, size_t rows, size_t channels,
                         float* out, size_t out_pitch);
  void (*finish_backward)(const BackwardFinish& finish, const float* g, size_t g_pitch, size_t rows, size_t channels,
                          float* out, size_t out_pitch);

  /// out[j·out_step] = Σ over taps of weight ⊙ x[j·in_step], j < count; steps in floats, channels a multiple of 16.
  void (*depthwise_row)(const Tap* taps, size_t tap_count, size_t in_step, size_t count, size_t channels, float* out,
                        size_t out_step, Ahead* ahead);

  /// gradients[tap][channel] += Σ over j < count of g[j·g_step] ⊙ x of the tap [j·in_step]; `pitch` between taps.
  void (*depthwise_weights)(const Tap* taps, size_t tap_count, size_t in_step, const float* g, size_t g_step,
                            size_t count, size_t channels, float* gradients, size_t pitch);

  /// Multiply-adds in registers for some rounds; returns how many.
  double (*spin)(size_t rounds);
};

/// Whether an instruction set that SupportedIsas() lists has a precision: bfloat16 needs AVX-512 with its extension
/// BF16, in the processor and in this build.
bool HasPrecision(Isa isa, Precision precision);

/// The table of an instruction set that SupportedIsas() lists. Throws std::invalid_argument for a precision that it
/// has not.
const Kernels& KernelsOf(Isa isa, Precision precision = Precision::kFloat32);

extern const Kernels kPortableKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
/// Without the depthwise loops, which are those of kAvx512Kernels: they are null.
extern const Kernels kAvx512Bfloat16Kernels;

}  // namespace ssd_prune
