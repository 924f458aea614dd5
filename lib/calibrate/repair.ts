import type { PruneOptions } from '../prune/options';

/**
 * What is refitted after channels were chosen: nothing; biases, so that means agree; the layers that read cut channels,
 * by least squares; or, where a cut goes deep, with the activations behind them in mind and every layer further on as well
 * (`full`, the default).
 */
export type Repair = 'none' | 'bias' | 'least_squares' | 'full';
export const repairs: readonly Repair[] = ['none', 'bias', 'least_squares', 'full'];

/** Whether pictures have a say in a cut: in its channels, its widths or what is refitted. */
export const needsPictures = (
  criterion: PruneOptions['criterion'],
  allocation: PruneOptions['allocation'],
  repair: Repair,
): boolean => criterion === 'obs' || allocation === 'error' || repair !== 'none';
