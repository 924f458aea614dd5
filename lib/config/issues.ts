import type { z } from 'zod';
import { nearest } from '../nearest';
import { expected, type JsonSchema, schemaAt } from './json-schema';
import { keyPlace, type Located, type Path, plain, type Scalar, valueAt, valuePlace } from './located';
import type { Problems } from './problems';
import { unsupported, whyUnsupported } from './unsupported';

/** Tells what a schema finds wrong in a configuration's own terms and places. */
export class IssueTeller {
  private readonly document: unknown;
  private readonly sections: { name: string; keys: string[] }[];
  private hints = 0;

  constructor(
    private readonly root: Located,
    private readonly schema: JsonSchema,
    private readonly problems: Problems,
  ) {
    this.document = plain(root);
    this.sections = sectionsOf(schema);
  }

  /** @param section path of what was checked */
  tell(issues: readonly z.core.$ZodIssue[], section: Path = []): void {
    for (const issue of issues) {
      const path = [...section, ...issue.path];
      if (issue.code === 'unrecognized_keys') for (const key of issue.keys) this.unknownKey(path, key);
      else if (!valueAt(this.root, path)) this.missing(path);
      else if (issue.code === 'invalid_union' && path.at(-1) === 'class') this.unknownClass(path);
      else this.wrongValue(path);
    }
  }

  private schemaOf(path: Path): JsonSchema | undefined {
    return schemaAt(this.schema, this.document, path);
  }

  private missing(path: Path): void {
    const [map, key] = [path.slice(0, -1), path.at(-1)];
    const description = this.schemaOf(path)?.description;
    const what = description === undefined ? '' : ` (${description.split(/;|\.(?!\d)/, 1)[0]})`;
    this.problems.add(keyPlace(this.root, map), `missing key ${String(key)}${inside(map)}${what}`);
  }

  private wrongValue(path: Path): void {
    const schema = this.schemaOf(path);
    const wanted = schema ? expected(schema) : 'something else';
    const { value } = valueAt(this.root, path)!;
    this.problems.add(
      valuePlace(this.root, path),
      `Expected ${wanted} for ${path.join('.')} but received ${shown(value)}`,
    );
  }

  private unknownKey(path: Path, key: string): void {
    const place = keyPlace(this.root, [...path, key]);
    const why = whyUnsupported(key);
    if (why !== undefined) this.problems.add(place, why);
    else this.problems.add(place, `unknown key ${short(key)}${inside(path)}${this.hint(path, key)}`);
  }

  /** What was probably meant by a key that isn't known where it stands. */
  private hint(path: Path, key: string): string {
    if (key.length > longestName || this.hints++ >= mostHints) return '';
    const own = Object.keys(this.schemaOf(path)?.properties ?? {});
    const elsewhere = this.sections.filter(({ name, keys }) => name !== path[0] && keys.includes(key));
    const meant = nearest(key, own);
    if (meant !== undefined) return `: did you mean ${meant}?`;
    if (elsewhere.length > 0) return `: it belongs in ${elsewhere.map(({ name }) => name).join(' or ')}`;
    const far = this.sections
      .map(({ name, keys }) => ({ name, meant: nearest(key, keys) }))
      .find(({ name, meant }) => name !== path[0] && meant !== undefined);
    if (far) return `: did you mean ${far.meant} in ${far.name}?`;
    return own.length > 0 ? `: there are ${own.join(', ')}` : '';
  }

  private unknownClass(path: Path): void {
    const { place, value } = valueAt(this.root, path)!;
    const schema = this.schemaOf(path.slice(0, -2))?.additionalProperties as JsonSchema;
    const known = schema.oneOf!.map(({ properties }) => String(properties!.class!.const));
    if (typeof value !== 'string') {
      this.problems.add(
        place,
        `Expected one of ${known.join(', ')} for ${path.join('.')} but received ${shown(value)}`,
      );
      return;
    }
    const meant = value.length > longestName ? undefined : nearest(value, [...known, ...unsupportedClasses]);
    const others = path[0] === 'strategies' ? ', and what is registered in Node by registerStrategy' : '';
    const hint = meant === undefined ? `: there is ${known.join(', ')}${others}` : `: did you mean ${meant}?`;
    this.problems.add(place, whyUnsupported(value) ?? `unknown class ${short(value)}${hint}`);
  }
}

const unsupportedClasses = Object.keys(unsupported).filter((name) => /^[A-Z]/.test(name));

/** Keys that a hint is looked for; a file with more wrong ones is something else. */
const mostHints = 100;

/** Longer ones are no mistyped key, and take long to compare. */
const longestName = 60;

const inside = (path: Path): string => (path.length === 0 ? '' : ` in ${path.join('.')}`);

/** All keys of each section, those of all classes together. */
function sectionsOf(schema: JsonSchema): { name: string; keys: string[] }[] {
  const named = Object.entries(schema.properties!).filter(([name]) => name !== 'compress_pass');
  return named.map(([name, { properties, additionalProperties }]) => {
    const plugins = typeof additionalProperties === 'object' ? (additionalProperties.oneOf ?? []) : [];
    const all = [properties ?? {}, ...plugins.map((plugin) => plugin.properties ?? {})];
    return { name, keys: all.flatMap((keys) => Object.keys(keys)).filter((key) => key !== 'class') };
  });
}

const short = (text: string): string => (text.length > longestName ? `${text.slice(0, longestName)}…` : text);

/** A value as messages show it. */
export function shown(value: Located['value']): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Map) return 'a map';
  const written: Exclude<Scalar, null> = value;
  if (typeof written !== 'string') return `${written} of type ${typeof written}`;
  return `${JSON.stringify(short(written))} of type string`;
}
