import type { z } from 'zod';
import { nearest } from '../nearest';
import type { StrategyConfig } from './config';
import { type ControllerKeys, controller as controllerSchema } from './controllers';
import { IssueTeller } from './issues';
import type { JsonSchema } from './json-schema';
import { describePlace, keyPlace, type Located, type Path, plain, resolveAt, valueAt, valuePlace } from './located';
import type { Problems } from './problems';
import { criteriaOf, type PrunerKeys, pruner as prunerSchema } from './pruners';
import { type RunDocument, runSchema, strategy as strategySchema } from './schema';
import { strategyClasses } from './strategies';

/** What was found right, each part by itself: one that is wrong hides nothing of the others. */
export interface Sections
  extends Partial<
    Pick<RunDocument, 'model' | 'data' | 'training' | 'evaluation' | 'calibration' | 'device' | 'output' | 'compat'>
  > {
  /** `name`: what the file calls the section. */
  compressor?: NonNullable<RunDocument['compressor']> & { name: 'compressor' | 'compress_pass' };
  /** Those that are right. */
  strategies: Map<string, StrategyConfig>;
  /** All that the file has. */
  strategyNames: readonly string[];
}

/** Epochs of the whole run: those of the file, or more where a strategy that is used ends later. */
export function epochsOf({ compressor, strategies }: Pick<Required<Sections>, 'compressor' | 'strategies'>): number {
  const ends = compressor.strategies.map((name) => strategies.get(name)?.options.endEpoch);
  return Math.max(compressor.epoch, ...ends.filter((end) => typeof end === 'number'));
}

const simple = ['model', 'data', 'training', 'evaluation', 'calibration', 'device', 'output', 'compat'] as const;

/** Checks each section by its schema, and plugins by their classes. */
export function checkSections(root: Located, schema: JsonSchema, problems: Problems, warnings: string[]): Sections {
  const teller = new IssueTeller(root, schema, problems);
  const { shape } = runSchema();
  const check = <T extends z.ZodType>(type: T, path: Path): z.output<T> | undefined => {
    const at = valueAt(root, path);
    const result = type.safeParse(at && plain(at));
    if (result.success) return result.data;
    teller.tell(result.error.issues, path);
    return undefined;
  };

  const sections: Sections = { strategies: new Map(), strategyNames: [] };
  const unknown = [...(root.value as Map<string, unknown>).keys()].filter((key) => !Object.hasOwn(shape, key));
  if (unknown.length > 0) teller.tell([{ code: 'unrecognized_keys', keys: unknown, path: [], message: '' }]);
  for (const name of simple) Object.assign(sections, { [name]: check(shape[name], [name]) });
  checkVersion(root, check(shape.version, ['version']), problems);

  const [run, older] = ['compressor', 'compress_pass'] as const;
  const has = (name: string) => valueAt(root, [name]) !== undefined;
  if (has(run) && has(older))
    problems.add(keyPlace(root, [older]), `${older} is an older name of ${run}, which is there, too`);
  const name = has(older) ? older : run;
  const compressor = check(shape.compressor.unwrap(), [name]);
  if (compressor) sections.compressor = { ...compressor, name };

  const prunersAt = pluginNames(root, 'pruners', teller);
  const pruners = new Map<string, PrunerKeys | undefined>(
    prunersAt.map((plugin) => {
      const keys = check(prunerSchema, ['pruners', plugin]);
      const criteria = keys ? criteriaOf(keys) : [];
      if (criteria.length > 1) {
        const path = ['pruners', plugin, 'criterions'];
        problems.add(
          keyPlace(root, path),
          `one criterion for all parameters is supported, and here are ${criteria.join(', ')}`,
        );
      }
      return [plugin, keys];
    }),
  );
  const controllers = new Map<string, ControllerKeys | undefined>(
    pluginNames(root, 'controllers', teller).map((plugin) => [
      plugin,
      check(controllerSchema, ['controllers', plugin]),
    ]),
  );
  sections.strategyNames = pluginNames(root, 'strategies', teller);
  const type = strategySchema();
  for (const plugin of sections.strategyNames) {
    const at = ['strategies', plugin];
    const keys = check(type, at);
    if (!keys) continue;
    /** What another section's plugin says, by the name that the strategy has for it. */
    const named = <Keys>(key: 'pruner' | 'controller', plugins: ReadonlyMap<string, Keys>): Keys | undefined => {
      const name = (keys as Record<string, string | undefined>)[key];
      if (name === undefined || plugins.has(name)) return name === undefined ? undefined : plugins.get(name);
      const meant = nearest(name, plugins.keys());
      const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
      problems.add(valuePlace(root, [...at, key]), `there is no ${key} ${name}${hint}`);
      return undefined;
    };
    const options = strategyClasses.get(String(keys.class))!.options(keys as never, {
      pruner: named('pruner', pruners),
      controller: named('controller', controllers),
      paddle1x: sections.compat === 'paddle1x',
      resolve: (key, name) => resolveAt(root, [...at, key], name),
      refuse: (key, message) => problems.add(valuePlace(root, [...at, key]), message),
      warn: (key, message) => warnings.push(`${describePlace(valuePlace(root, [...at, key]))}: ${message}`),
    });
    const where = describePlace(keyPlace(root, at));
    sections.strategies.set(plugin, { name: plugin, class: String(keys.class), options, where });
  }
  return sections;
}

/** Names of a section's plugins. */
function pluginNames(root: Located, section: 'pruners' | 'controllers' | 'strategies', teller: IssueTeller): string[] {
  const at = valueAt(root, [section]);
  if (!at) return [];
  if (at.value instanceof Map) return [...at.value.keys()];
  teller.tell([{ code: 'invalid_type', expected: 'record', input: undefined, path: [section], message: '' }]);
  return [];
}

function checkVersion(root: Located, version: string | number | undefined, problems: Problems): void {
  if (version === undefined || Math.trunc(Number(version)) === 1) return;
  problems.add(valuePlace(root, ['version']), `version ${version} is not known: 1.0 is`);
}
