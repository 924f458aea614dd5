import { expected, type JsonSchema, runJsonSchema, takesNull } from './json-schema';

/** The page that documents every key of a configuration, in Markdown. */
export function renderReference(): string {
  const { properties = {}, required = [] } = runJsonSchema();
  const single = Object.entries(properties).filter(([, schema]) => !isSection(schema));
  const sections = Object.entries(properties).filter(([name, schema]) => isSection(schema) && name !== 'compress_pass');
  return [
    '# Configuration of a run',
    '',
    '<!-- Made by scripts/config-reference.js from the schema; change that. -->',
    '',
    'YAML 1.2. What PaddleSlim 1.x reads is read as it is (`version`, `include`, `pruners`, `strategies`, `compressor`);',
    'the other sections say what Python code said there. Paths are relative to the file that names them. `none`, or',
    'nothing, leaves a key at its default, where it says nothing else. `--set section.key=value` changes a key, by a',
    'value in YAML; paths in it are relative to the working directory. Editors complete the file by `run.schema.json`.',
    '',
    ...['## Top level', '', ...table(Object.fromEntries(single), required)],
    ...sections.flatMap(([name, schema]) => section(name, schema, required.includes(name))),
  ].join('\n');
}

/** Whether a value has keys of its own. */
const isSection = ({ properties, additionalProperties }: JsonSchema): boolean =>
  properties !== undefined || typeof additionalProperties === 'object';

function section(name: string, schema: JsonSchema, needed: boolean): string[] {
  const older = name === 'compressor' ? ' The older name `compress_pass` is read, too.' : '';
  const head = [`## ${name}`, '', `${schema.description}.${needed || older ? ' Required.' : ''}${older}`, ''];
  if (schema.properties) return [...head, ...table(schema.properties, schema.required)];
  const plugins = (schema.additionalProperties as JsonSchema).oneOf!;
  return [
    ...head,
    ...plugins.flatMap(({ properties = {}, required = [] }) => {
      const { class: type, ...keys } = properties;
      return [`### class: ${type!.const}`, '', `${type!.description}.`, '', ...table(keys, required)];
    }),
  ];
}

function table(keys: Record<string, JsonSchema>, required: readonly string[] = []): string[] {
  const rows = Object.entries(keys).map(([key, schema]) => {
    // Where something else decides, the description says what.
    const [what, unset] = schema.description!.split('. Default: ');
    const kind = `${expected(schema)}${takesNull(schema) ? ', or none' : ''}`;
    return `| \`${key}\` | ${cell(kind)} | ${required.includes(key) ? 'required' : (unset ?? defaultOf(schema))} | ${cell(what!)} |`;
  });
  return ['| key | is | default | what |', '|---|---|---|---|', ...rows, ''];
}

function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined) return '–';
  if (value === null) return 'none';
  if (typeof value !== 'object') return `\`${value}\``;
  const [first] = Object.entries(value);
  return first ? `\`'${first[0]}': ${first[1]}\`` : 'none';
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
