import { needsPictures } from '../calibrate/repair';
import type { RunConfig } from '../config/config';
import { SsdPruneError } from '../errors';
import type { OnnxModel } from '../model/onnx-model';
import { openPruner, type PruneModelOptions } from '../prune/prune-model';
import type { CutRequest } from './strategy';

/** A strategy's request with the run's pictures, detector settings and device, as `pruneModel` takes it. */
export function pruneOptions(request: CutRequest, config: RunConfig): PruneModelOptions {
  const { criterion = 'l1_norm', repair = criterion === 'obs' ? 'full' : 'none', ...rest } = request;
  const options: PruneModelOptions = { ...rest, criterion, ...(config.paddle1x && { paddle1x: true }) };
  if (!goesByPictures(request)) return options;
  const { calibration, data, model, device } = config;
  return {
    ...options,
    calibrate: {
      ...{ ...calibration, skipBad: data.skipBad, repair, device: device.evaluation },
      ...(model.detector !== undefined && { detector: model.detector }),
    },
  };
}

/** Whether a cut is calibrated on pictures. */
export const goesByPictures = ({ criterion, repair = 'none', allocation }: Partial<CutRequest>): boolean =>
  needsPictures(criterion, allocation, repair);

/** Whether a target is more than layers can lose; Paddle's search takes what comes as near as the tolerance from below, too. */
export const outOfReach = (most: number, { targetRatio, paddle1x, tolerance = 0.01 }: PruneModelOptions): boolean =>
  targetRatio !== undefined && most < targetRatio - (paddle1x ? tolerance : 0);

/**
 * Finds out before hours of training whether a request can be carried out on a network as it is.
 * @returns remarks: on parameters that only Paddle's match of a name's begin would take, too
 * @throws {SsdPruneError} ERR_NO_MATCH, ERR_LOCKED_CHANNELS, ERR_TIED_CHANNELS, ERR_USAGE, ERR_TARGET_UNREACHABLE
 */
export function checkRequest(model: OnnxModel, request: CutRequest, config: RunConfig): readonly string[] {
  const { describeParameters } = require('../prune/parameter-list') as typeof import('../prune/parameter-list');
  const options = pruneOptions(request, config);
  const pruner = openPruner(model);
  pruner.select(options);
  const { targetRatio } = options;
  const most = pruner.largestCut(options);
  if (targetRatio !== undefined && outOfReach(most, options)) {
    throw new SsdPruneError(
      'ERR_TARGET_UNREACHABLE',
      `The selected layers can lose ${(100 * most).toFixed(2)} % of the work at most, but ${(100 * targetRatio).toFixed(2)} % are to go: ask for less, or select more layers.`,
    );
  }
  const { prefixOnly } = describeParameters(model, request.prunedParams);
  if (prefixOnly.length === 0) return [];
  return [
    `${request.prunedParams} must match whole names: ${prefixOnly.join(', ')}, which PaddleSlim takes by how they begin, stay as they are`,
  ];
}
