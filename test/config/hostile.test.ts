import path from 'node:path';
import { readConfig } from '../../lib/config/config';
import { ConfigFolder, ownYaml, paddleYaml } from './folder';

const folder = new ConfigFolder();
afterAll(() => folder.remove());

/** Messages without the folder's name. */
async function messageOf(text: string | Uint8Array): Promise<string> {
  const file = folder.write('run.yaml', text);
  const error = await readConfig(file).then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: 'ERR_BAD_CONFIG' });
  return error.message.replaceAll(`${folder.path}${path.sep}`, '');
}

test.each<[what: string, text: string | Uint8Array, message: string]>([
  ['an empty file', '', 'run.yaml:1:1: nothing is in it'],
  ['comments alone', '# one\n\n# two\n', 'run.yaml:1:1: nothing is in it'],
  ['a list at the top', '- model\n- data\n', 'run.yaml:1:1: Expected a map of sections but received a list'],
  ['text at the top', 'ssd.onnx', 'run.yaml:1:1: Expected a map of sections but received a value'],
  ['zeros', new Uint8Array(100), 'run.yaml:1:1: no text: it has the character U+0000'],
  ['a control character', 'version: 1.0\na: \u0007', 'run.yaml:2:4: no text: it has the character U+0007'],
  ['bytes that are no UTF-8', Buffer.from('version: 1\nb: \xff\xfe', 'latin1'), 'run.yaml:2:4: no UTF-8 text'],
  ['UTF-16', Buffer.from('\uFEFFversion: 1', 'utf16le'), 'run.yaml:1:1: no UTF-8 text'],
  [
    'more than any configuration has',
    `# ${'x'.repeat(2 ** 18)}`,
    'run.yaml:1:1: longer than 256 KiB: no configuration is',
  ],
  ['lists in lists', `a:\n  ${'['.repeat(100_000)}`, 'run.yaml:2:102: more than 100 maps and lists in each other'],
  ['items in items', '- '.repeat(50_000), 'run.yaml:1:201: more than 100 maps and lists in each other'],
  ['questions in questions', '? '.repeat(50_000), 'run.yaml:1:201: more than 100 maps and lists in each other'],
])('%s', async (_, text, message) => {
  expect(await messageOf(text)).toBe(message);
});

test('maps in maps, a line each', async () => {
  const text = Array.from({ length: 600 }, (_, i) => `${' '.repeat(i)}a:`).join('\n');
  expect(await messageOf(text)).toMatch(/^run\.yaml:\d+:\d+: more than 100 maps and lists in each other$/);
});

test('aliases of aliases that would be a billion values', async () => {
  const lines = ['a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]'];
  for (let i = 1; i < 10; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  expect(await messageOf(lines.join('\n'))).toMatch(/^run\.yaml:1:\d+: more than 20000 values, aliases written out$/);
});

test('aliases of aliases that would be deeper than any text', async () => {
  const lines = ['b0: &b0 {a: 1}'];
  for (let i = 1; i < 19; i++) lines.push(`b${i}: &b${i} ${'{a: '.repeat(90)}*b${i - 1}${'}'.repeat(90)}`);
  expect(await messageOf(lines.join('\n'))).toMatch(/^run\.yaml:2:\d+: more than 100 maps and lists in each other$/);
});

test('merge keys that would be a billion keys', async () => {
  const lines = ['a0: &a0 {x: 1, y: 2}'];
  for (let i = 1; i < 40; i++) lines.push(`a${i}: &a${i} {<<: [*a${i - 1}, *a${i - 1}], k${i}: *a${i - 1}}`);
  expect(await messageOf(lines.join('\n'))).toContain('more than 20000 values, aliases written out');
});

test('many aliases of one anchor are looked up at once', async () => {
  const begin = performance.now();
  await messageOf(`a: &a 1\nb: [${Array(15_000).fill('*a').join(',')}]`);
  expect(performance.now() - begin).toBeLessThan(5000);
});

test('thousands of unknown keys are told without delay', async () => {
  const begin = performance.now();
  const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}: 1`);
  const message = await messageOf([...keys, `${'y'.repeat(1000)}: 1`].join('\n'));
  expect(message.split('\n').length).toBeGreaterThan(10_000);
  expect(performance.now() - begin).toBeLessThan(20_000);
});

test('includes that multiply end', async () => {
  for (let i = 0; i < 30; i++) folder.write(`twice-${i}.yaml`, `include: [twice-${i + 1}.yaml, twice-${i + 1}.yaml]`);
  folder.write('twice-30.yaml', 'version: 1');
  expect(await messageOf(`include: [twice-0.yaml]\n${paddleYaml}${ownYaml}`)).toMatch(
    /^twice-\d+\.yaml:1:\d+: more than 64 files, counted as often as they are included$/,
  );
});

test('a device that never ends is read to the limit', async () => {
  await expect(readConfig('/dev/zero')).rejects.toMatchObject({ code: 'ERR_BAD_CONFIG' });
});

test.each<[what: string, file: string, reason: string]>([
  ['that is missing', 'missing.yaml', 'there is no such file'],
  ['that is a folder', 'voc', 'it is a folder'],
])('a file %s', async (_, name, reason) => {
  const file = folder.at(name);
  await expect(readConfig(file)).rejects.toMatchObject({
    code: 'ERR_IO',
    message: `Can't read configuration ${file}: ${reason}`,
  });
});

test('names that objects have of themselves are names like any other', async () => {
  const file = folder.write(
    'run.yaml',
    `pruners: {toString: {class: StructurePruner}}
strategies: {constructor: {class: UniformPruneStrategy, pruner: toString}}
compressor: {epoch: 1, strategies: [constructor]}
${ownYaml}`,
  );
  const { compressor } = await readConfig(file);
  expect(compressor.strategies.map(({ name }) => name)).toEqual(['constructor']);
  expect(await messageOf(`${paddleYaml}${ownYaml}toString: 1`)).toMatch(/:\d+:1: unknown key toString/);
});
