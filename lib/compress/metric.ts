/** What a network was worth on the evaluation split. */
export interface Metric {
  /** When: before anything was done, right behind a cut, or behind an epoch. */
  readonly stage: 'start' | 'cut' | 'epoch';
  /** Epochs that were through. */
  readonly epoch: number;
  readonly step: number;
  readonly map: number;
  /** Mean over classes with at least 20 objects; null where there is none. */
  readonly meanOver20: number | null;
}
