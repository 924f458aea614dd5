import { SsdPruneError } from '../errors';
import type { Parameter } from '../model/parameters';
import type { ChannelGroup, ChannelGroups } from './channel-groups';
import type { PruneOptions } from './options';
import { compilePattern } from './select';

/** Layers and groups that a pattern selects. */
export interface Selection {
  /** Selected layers that have channels to cut, in definition order. */
  readonly layers: readonly string[];
  /** Groups to cut: those whose layers are all selected and that are not locked. */
  readonly groups: readonly ChannelGroup[];
  /** Selected parameters that are left as they are, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Why a parameter can't be cut on its own, or undefined if it can. */
export function whyLocked(groups: ChannelGroups, name: string): string | undefined {
  const { producers, followers } = groups.graph;
  if (followers.has(name))
    return 'a depthwise filter follows the layer whose channels it reads and can’t be selected alone';
  if (!producers.has(name)) {
    const lock = groups.graph.lockOfConstant(name);
    return lock ? `${lock.node}: ${lock.reason}` : 'it opens no channels; biases and normalisation follow their layer';
  }
  const own = groups.ofLayer(name);
  if (own.some((group) => group.locks.some((lock) => !lock))) return undefined;
  const lock = own[0]?.locks[0];
  return lock ? `${lock.node}: ${lock.reason}` : 'it has a single channel';
}

/**
 * The groups to cut for a pattern.
 * @throws {SsdPruneError} ERR_NO_MATCH where the pattern takes no parameter, or none that can be cut;
 * ERR_LOCKED_CHANNELS, ERR_TIED_CHANNELS by name unless `skipLocked` (or `includeTied`).
 */
export function selectLayers(
  groups: ChannelGroups,
  parameters: readonly Parameter[],
  options: PruneOptions,
): Selection {
  const pattern = compilePattern(options.prunedParams);
  const names = parameters.map(({ name }) => name);
  const full = new Set(pattern.full(names));
  const matched = parameters.filter(({ name }) => full.has(name));
  if (matched.length === 0) throw noMatch(options.prunedParams, names, pattern.anywhere(names));
  for (const name of options.ratios?.keys() ?? []) {
    if (!matched.some((parameter) => parameter.name === name)) {
      throw new SsdPruneError(
        'ERR_NO_MATCH',
        `--ratios names ${JSON.stringify(name)}, which --pruned-params does not select.`,
      );
    }
  }
  const reasons = matched.map(({ name }) => ({ name, reason: whyLocked(groups, name) }));
  const skipped = reasons.flatMap(({ name, reason }) => (reason === undefined ? [] : [{ name, reason }]));
  if (skipped.length > 0 && !options.skipLocked) {
    throw new SsdPruneError(
      'ERR_LOCKED_CHANNELS',
      `${skipped.length} of the ${matched.length} selected parameters can't be cut:\n${list(skipped)}\nLeave them out of the pattern, or add --skip-locked.`,
    );
  }
  const layers = reasons.filter(({ reason }) => reason === undefined).map(({ name }) => name);
  const selected = new Set(layers);
  const chosen: ChannelGroup[] = [];
  const tied: { name: string; reason: string }[] = [];
  for (const group of groups.groups) {
    const names = group.layers.map(({ producer }) => producer.name);
    if (group.locks.every(Boolean) || !names.some((name) => selected.has(name))) continue;
    const missing = names.filter((name) => !selected.has(name));
    if (missing.length === 0 || options.includeTied) chosen.push(group);
    else {
      for (const name of names.filter((other) => selected.has(other))) {
        tied.push({ name, reason: `shares channels with ${missing.join(', ')}, not selected` });
      }
    }
  }
  if (tied.length > 0 && !options.skipLocked) {
    throw new SsdPruneError(
      'ERR_TIED_CHANNELS',
      `${tied.length} selected layers share their channels with layers that are not selected:\n${list(tied)}\nSelect those too, add --include-tied, or leave these out with --skip-locked.`,
    );
  }
  if (chosen.length === 0) {
    throw new SsdPruneError('ERR_NO_MATCH', `Nothing is left to cut:\n${list([...skipped, ...tied])}`);
  }
  const cuttable = new Set(chosen.flatMap((group) => group.layers.map(({ producer }) => producer.name)));
  const order = parameters.map(({ name }) => name).filter((name) => cuttable.has(name));
  return { layers: order, groups: chosen, skipped: [...skipped, ...tied.filter(({ name }) => !cuttable.has(name))] };
}

function noMatch(pattern: string, names: readonly string[], near: readonly string[]): SsdPruneError {
  const shown = (near.length > 0 ? near : names).slice(0, 5).join(', ');
  const hint =
    near.length > 0
      ? `An unanchored search would have taken ${near.length} (${shown}${near.length > 5 ? ', …' : ''}), but a name must match in full.`
      : `The model's parameters are called ${shown}, …`;
  return new SsdPruneError(
    'ERR_NO_MATCH',
    `No parameter's full name matches ${JSON.stringify(pattern)}. ${hint} \`ssd-prune params MODEL\` lists them all.`,
  );
}

const list = (entries: readonly { name: string; reason: string }[]): string => {
  const shown = entries.slice(0, 20).map(({ name, reason }) => `  ${name}: ${reason}`);
  if (entries.length > 20) shown.push(`  … and ${entries.length - 20} more`);
  return shown.join('\n');
};
