import { z } from 'zod';
import type { Path } from './located';
import { runSchema } from './schema';

/** The part of JSON Schema that zod writes. */
export interface JsonSchema {
  $schema?: string;
  type?: string | string[];
  description?: string;
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  pattern?: string;
}

/** What a configuration may say, as JSON Schema: what editors complete by, and the reference is made from. */
export function runJsonSchema(): JsonSchema {
  return z.toJSONSchema(runSchema(), {
    io: 'input',
    override: ({ jsonSchema }) => {
      // Bounds of whole numbers that nobody set, and types of keys, which are all text.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      delete jsonSchema.propertyNames;
      // Asked again for each remark on a kind.
      if (
        takesNull(jsonSchema as JsonSchema) &&
        !jsonSchema.anyOf!.some((kind) => (kind as JsonSchema).const === 'none')
      )
        jsonSchema.anyOf!.push({ const: 'none' });
    },
  }) as JsonSchema;
}

/**
 * {@link runJsonSchema} with PaddleSlim's way to leave a key off, see {@link dropNothing}: any that isn't required may be
 * empty, or `none`.
 */
export function editorSchema(): JsonSchema {
  const none: JsonSchema[] = [{ type: 'null' }, { type: 'string', pattern: '^[Nn][Oo][Nn][Ee]$' }];
  const visit = (schema: JsonSchema): JsonSchema => {
    const { properties, additionalProperties, oneOf, required = [] } = schema;
    return {
      ...schema,
      ...(properties && {
        properties: Object.fromEntries(
          Object.entries(properties).map(([key, inner]) => [
            key,
            required.includes(key) ? visit(inner) : orNone(inner),
          ]),
        ),
      }),
      ...(typeof additionalProperties === 'object' && { additionalProperties: visit(additionalProperties) }),
      ...(oneOf && { oneOf: oneOf.map(visit) }),
    };
  };
  const orNone = (inner: JsonSchema): JsonSchema => {
    const { description, default: unset, ...kind } = visit(inner);
    return {
      ...(description !== undefined && { description }),
      ...(unset !== undefined && { default: unset }),
      anyOf: [...(takesNull(kind) ? kindsBesideNull(kind) : [kind]), ...none],
    };
  };
  return visit(runJsonSchema());
}

/**
 * What may stand at a path.
 * @param value what does stand at the schema's own place: it tells classes from each other
 */
export function schemaAt(schema: JsonSchema, value: unknown, path: Path): JsonSchema | undefined {
  const own = ofClass(schema, value);
  const [key, ...rest] = path;
  if (key === undefined) return own ?? schema;
  const inner = propertyOf(own, String(key)) ?? own?.items ?? own?.additionalProperties;
  if (inner === undefined || typeof inner === 'boolean') return undefined;
  return schemaAt(inner, (value as Record<PropertyKey, unknown> | null | undefined)?.[key], rest);
}

/** What a map's schema says of a key. */
export function propertyOf(schema: JsonSchema | undefined, key: string): JsonSchema | undefined {
  const properties = schema?.properties ?? {};
  return Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** The schema of the class that a value names, where a schema is of several. */
function ofClass(schema: JsonSchema, value: unknown): JsonSchema | undefined {
  if (!schema.oneOf) return schema;
  const name = (value as { class?: unknown } | null | undefined)?.class;
  return schema.oneOf.find(({ properties }) => properties?.class?.const === name);
}

const kindsBesideNull = ({ anyOf = [] }: JsonSchema): JsonSchema[] =>
  anyOf.filter(({ type, const: word }) => type !== 'null' && word !== 'none');

/** The same without null, and the word for it, where it may be that, too. */
export function withoutNull(schema: JsonSchema): JsonSchema {
  const [only, ...others] = kindsBesideNull(schema);
  return only && others.length === 0 ? only : schema;
}

/** Whether null is a value of its own. */
export const takesNull = ({ anyOf }: JsonSchema): boolean => anyOf?.some(({ type }) => type === 'null') ?? false;

/** "a whole number from 1 up": what messages and the reference call a kind of value. */
export function expected(given: JsonSchema): string {
  const schema = withoutNull(given);
  const choices = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (choices) return choices.length === 1 ? String(choices[0]) : `one of ${choices.join(', ')}`;
  if (schema.oneOf) return 'a map';
  if (schema.anyOf) return schema.anyOf.map(expected).join(' or ');
  const types = [schema.type ?? []].flat();
  return types.map((type) => `${kinds[type] ?? type}${isNumber(type) ? range(schema) : ''}`).join(' or ');
}

const kinds: Partial<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
};

const isNumber = (type: string): boolean => type === 'number' || type === 'integer';

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  if (exclusiveMinimum !== undefined && exclusiveMaximum !== undefined) {
    return ` between ${exclusiveMinimum} and ${exclusiveMaximum}`;
  }
  if (exclusiveMinimum !== undefined) {
    return maximum === undefined ? ` above ${exclusiveMinimum}` : ` above ${exclusiveMinimum}, at most ${maximum}`;
  }
  if (minimum === undefined) return '';
  if (exclusiveMaximum !== undefined) return ` from ${minimum} to below ${exclusiveMaximum}`;
  return maximum === undefined ? ` from ${minimum} up` : ` from ${minimum} to ${maximum}`;
}
