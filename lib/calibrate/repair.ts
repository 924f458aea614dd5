/**
 * What is refitted after channels were chosen: nothing; biases, so that means agree; the layers that read cut channels,
 * by least squares (the default); or with the activations behind them in mind, and every layer further on as well.
 */
export type Repair = 'none' | 'bias' | 'least_squares' | 'full';
export const repairs: readonly Repair[] = ['none', 'bias', 'least_squares', 'full'];
