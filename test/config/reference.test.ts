import { readFileSync } from 'node:fs';
import path from 'node:path';
import { editorSchema, expected, type JsonSchema, runJsonSchema } from '../../lib/config/json-schema';
import { renderReference } from '../../lib/config/reference';
import { recipeKeys } from '../../lib/train/recipe-settings';

const folder = path.resolve(__dirname, '..', '..', 'lib', 'config');
const stale = 'npm run build:ts && node scripts/config-reference.js';

test(`the JSON Schema that editors complete by is up to date (else: ${stale})`, () => {
  expect(JSON.parse(readFileSync(path.join(folder, 'run.schema.json'), 'utf8'))).toEqual(editorSchema());
});

test(`the page of all keys is up to date (else: ${stale})`, () => {
  expect(readFileSync(path.join(folder, 'REFERENCE.md'), 'utf8')).toBe(renderReference());
});

/** Each key of a schema with its path. */
function keysOf(schema: JsonSchema, at: string[] = []): { at: string[]; schema: JsonSchema }[] {
  const own = Object.entries(schema.properties ?? {}).map(([key, inner]) => ({ at: [...at, key], schema: inner }));
  const further = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  return [
    ...own,
    ...own.flatMap((key) => keysOf(key.schema, key.at)),
    ...[...further, ...(schema.oneOf ?? [])].flatMap((inner) => keysOf(inner, at)),
  ];
}

test('every key is described', () => {
  const keys = keysOf(runJsonSchema());
  expect(keys.length).toBeGreaterThan(80);
  expect(keys.filter(({ schema }) => !schema.description).map(({ at }) => at.join('.'))).toEqual([]);
});

test('every key says what kind of value it takes, each kind once', () => {
  const kinds = keysOf(runJsonSchema()).map(({ at, schema }) => ({ at: at.join('.'), kind: expected(schema), schema }));
  expect(kinds.filter(({ kind }) => kind.trim() === '').map(({ at }) => at)).toEqual([]);
  const twice = kinds.filter(
    ({ schema: { anyOf = [] } }) => new Set(anyOf.map((kind) => JSON.stringify(kind))).size < anyOf.length,
  );
  expect(twice.map(({ at }) => at)).toEqual([]);
});

test('training has the settings of finetune, with the same defaults', () => {
  const { properties = {} } = runJsonSchema().properties!.training!;
  const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  expect(Object.keys(properties).sort()).toEqual(Object.keys(recipeKeys).map(snake).sort());
  for (const [key, setting] of Object.entries(recipeKeys)) {
    expect([key, properties[snake(key)]!.default]).toEqual([key, 'default' in setting ? setting.default : undefined]);
  }
});

test('no map takes keys that are not named, but for those whose keys are names', () => {
  const open: string[] = [];
  const visit = (schema: JsonSchema, at: string): void => {
    if (schema.properties && schema.additionalProperties !== false) open.push(at);
    for (const [key, inner] of Object.entries(schema.properties ?? {})) visit(inner, `${at}.${key}`);
    for (const inner of schema.oneOf ?? []) visit(inner, at);
    if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, `${at}.*`);
  };
  visit(runJsonSchema(), 'run');
  expect(open).toEqual([]);
});
