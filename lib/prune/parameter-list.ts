import type { OnnxModel } from '../model/onnx-model';
import { countElements } from '../model/parameters';
import { openPruner } from './prune-model';
import { compilePattern } from './select';
import { whyLocked } from './selection';

export interface ParameterRow {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: string;
  /** Whether the pattern matches the full name. */
  readonly selected: boolean;
  /** Why channels of it can't be cut, or null if they can. */
  readonly locked: string | null;
}

export interface ParameterList {
  readonly schema: 'ssd-prune.params/1';
  readonly model: string | null;
  readonly prunedParams: string | null;
  readonly elements: number;
  readonly parameters: readonly ParameterRow[];
  /** Names the pattern selects; null without a pattern. */
  readonly selected: readonly string[] | null;
  /** Names that Paddle 1.x's prefix match would take besides. */
  readonly prefixOnly: readonly string[];
  /** Names that only an unanchored search would take. */
  readonly searchOnly: readonly string[];
}

/**
 * All parameters in definition order, and what a pattern takes of them.
 * @throws {SsdPruneError} ERR_BAD_PATTERN
 */
export function describeParameters(model: OnnxModel, prunedParams?: string): ParameterList {
  const pattern = prunedParams === undefined ? undefined : compilePattern(prunedParams);
  const pruner = openPruner(model);
  const names = pruner.parameters.map(({ name }) => name);
  const selected = pattern?.full(names) ?? [];
  const prefixed = pattern?.prefix(names) ?? [];
  const [full, prefix] = [new Set(selected), new Set(prefixed)];
  const parameters = pruner.parameters.map((parameter) => ({
    ...parameter,
    selected: full.has(parameter.name),
    locked: whyLocked(pruner.groups, parameter.name) ?? null,
  }));
  return {
    schema: 'ssd-prune.params/1',
    model: model.file ?? null,
    prunedParams: prunedParams ?? null,
    elements: countElements(parameters),
    parameters,
    selected: pattern ? selected : null,
    prefixOnly: prefixed.filter((name) => !full.has(name)),
    searchOnly: pattern?.anywhere(names).filter((name) => !prefix.has(name)) ?? [],
  };
}
