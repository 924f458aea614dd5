/** Conversions between float32 values and the bits of IEEE half precision, for models whose inputs or outputs are. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Bits of the nearest half-precision values (ties to even; beyond 65504 infinity). */
export function toFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, halfBits);
}

function halfBits(value: number): number {
  float[0] = value;
  const x = bits[0]!;
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1);
    return sign | (rounded >>> 13);
  }
  // Subnormal: a multiple of 2^-24. Scaling by a power of two is exact, the rounding is done here.
  const scaled = Math.abs(float[0]!) * 2 ** 24;
  const whole = Math.floor(scaled);
  const rest = scaled - whole;
  return sign | (whole + (rest > 0.5 || (rest === 0.5 && (whole & 1) === 1) ? 1 : 0));
}

let table: Float32Array | undefined;

/** The values of half-precision bits. */
export function fromFloat16(halves: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, half) => halfValue(half));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i]!]!;
  return values;
}

function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
