/** Mean, or `null` of nothing. */
export function mean(values: ArrayLike<number>): number | null {
  if (values.length === 0) return null;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** The central `share` of values: two percentiles, linear between neighbours; `null` of nothing. */
export function confidenceInterval(values: readonly number[], share: number): [number, number] | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const percentile = (at: number): number => {
    const place = at * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below]! + (sorted[above]! - sorted[below]!) * (place - below);
  };
  return [percentile((1 - share) / 2), percentile((1 + share) / 2)];
}
