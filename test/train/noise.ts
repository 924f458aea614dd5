/** Repeatable noise in [-1, 1): the generator that scripts/record-training-step.py has, too. */
export function noise(count: number): Float64Array {
  let state = 1;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** Noise pictures, planar as ONNX wants them and with channels last as the engine does. */
export function noisePictures(batch: number, channels: number, places: number) {
  const planar = Float32Array.from(noise(batch * channels * places));
  const pictures = new Float32Array(planar.length);
  for (let n = 0; n < batch; n++)
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < places; i++)
        pictures[(n * places + i) * channels + c] = planar[(n * channels + c) * places + i]!;
  return { planar, pictures };
}
