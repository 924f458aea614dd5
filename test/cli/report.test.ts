import { copyFileSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pruneDocument, runDocument, sensitivityDocument, stepPoints } from '../report/documents';
import { command, errorOf, events, failure, root, temporary } from './command';

const folder = temporary();
const embedded = path.join(root, 'lib', 'embedded', 'scenes.onnx');
const inFolder = (args: string[]) => command(args, { cwd: folder });
const report = (name: string, ...args: string[]) => inFolder(['report', name, ...args, '--json']);
const write = (name: string, content: object): string => {
  writeFileSync(path.join(folder, name), JSON.stringify(content));
  return name;
};
const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');

beforeAll(() => {
  copyFileSync(embedded, path.join(folder, 'ssd.onnx'));
  const cut = ['prune', 'ssd.onnx', '-o', 'small.onnx', '--pruned-params', 'conv2d_[1-9].w_0', '--report', 'cut.json'];
  expect(inFolder([...cut, '--target-ratio', '0.2', '--json']).status).toBe(0);
  expect(inFolder(['scenes', 'voc', '--split', 'val', '--count', '6', '--json']).status).toBe(0);
});

test('a cut that was really made: sizes, latency, and pictures of both models', () => {
  const made = report('cut.json', '-o', 'cut.html', '--data', 'voc', '--pictures', '3', '--bench', '--device', 'cpu');
  expect([made.status, failure(made).code]).toEqual([0, undefined]);
  const document = JSON.parse(made.stdout);
  expect(document).toMatchObject({
    ...{ schema: 'ssd-prune.report/1', report: 'cut.json', kind: 'ssd-prune.prune/1', output: 'cut.html', pictures: 3 },
  });
  const page = read('cut.html');
  expect(document.bytes).toBe(Buffer.byteLength(page));
  expect(document.latency.before).toBeGreaterThan(0);
  expect(page.match(/src="data:image\/jpeg;base64,/g)).toHaveLength(6);
  // Evenly spread over the split, which counts from 0.
  const names = [...page.matchAll(/<figcaption>(val_\d+)<\/figcaption>/g)].map(([, name]) => name);
  expect(names).toEqual(['val_000001', 'val_000003', 'val_000005']);
  const { macs } = JSON.parse(read('cut.json'));
  expect(page).toContain(`−${(100 * macs.cut).toFixed(1)} %`);
  for (const row of ['Size of the file', 'Latency, median']) expect(page).toContain(row);
});

test('in the place of broken pictures others are shown, as long as there are any', () => {
  cpSync(path.join(folder, 'voc'), path.join(folder, 'broken'), { recursive: true });
  const shown = (name: string): string[] => {
    const made = report('cut.json', '-o', name, '--data', 'broken', '--pictures', '2', '--device', 'cpu');
    expect(made.status).toBe(0);
    return [...read(name).matchAll(/<figcaption>(val_\d+)<\/figcaption>/g)].map(([, picture]) => picture!);
  };
  const spoil = (i: number) => writeFileSync(path.join(folder, 'broken', 'JPEGImages', `val_00000${i}.jpg`), '');
  expect(shown('whole.html')).toEqual(['val_000001', 'val_000004']);
  for (const i of [4, 5]) spoil(i);
  expect(shown('around.html')).toEqual(['val_000000', 'val_000001']);
  for (const i of [0, 1, 3]) spoil(i);
  expect(shown('last.html')).toEqual(['val_000002']);
  spoil(2);
  const none = report('cut.json', '-o', 'none.html', '--data', 'broken', '--pictures', '2', '--device', 'cpu');
  expect(failure(none)).toEqual({ status: 1, code: 'ERR_BAD_DATA', stdout: '' });
});

test('without pictures and timing, from wherever the report is looked at', () => {
  mkdirSync(path.join(folder, 'elsewhere'));
  copyFileSync(path.join(folder, 'cut.json'), path.join(folder, 'elsewhere', 'cut.json'));
  expect(report('elsewhere/cut.json', '-o', 'plain.html').status).toBe(0);
  expect(read('plain.html')).not.toContain('data:image');
  const text = inFolder(['report', 'cut.json', '-o', 'text.html', '--quiet']);
  expect(text.stdout).toMatch(/^text\.html: a page of ssd-prune\.prune\/1, \d+ kB\n$/);
  // A report of models that are gone is a page, too.
  write('gone.json', runDocument);
  write('curves.json', sensitivityDocument);
  const lines = stepPoints.map((point) => `${JSON.stringify({ event: 'step', time: 0, ...point })}\n`);
  writeFileSync(path.join(folder, 'log.jsonl'), lines.join(''));
  const curves = ['--sensitivity', 'curves.json', '--log', 'log.jsonl'];
  expect(report('gone.json', '-o', 'gone.html', ...curves).status).toBe(0);
  expect(read('gone.html')).toContain('aria-label="Loss. all from 8 to');
  expect(read('gone.html')).not.toContain('Size of the file');
  expect(read('gone.html')).toContain('id="sensitivity"');
});

test('models that are not there are asked for, and can be named', () => {
  write('gone.json', runDocument);
  const refused = report('gone.json', '-o', 'named.html', '--data', 'voc');
  expect(failure(refused)).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
  expect(errorOf(refused).message).toContain('--before');
  const named = report(
    ...(['gone.json', '-o', 'named.html', '--data', 'voc', '--pictures', '1'] as const),
    ...['--before', 'ssd.onnx', '--after', 'small.onnx', '--device', 'cpu'],
  );
  expect([named.status, JSON.parse(named.stdout).pictures]).toEqual([0, 1]);
  expect(events(named)).toEqual([]);
});

test.each<[string, string[], number, string]>([
  ['a page that is there', ['cut.json', '-o', 'there.html'], 2, 'ERR_OUTPUT_EXISTS'],
  ['its own input', ['link.html', '-o', 'link.html', '--force'], 2, 'ERR_OUTPUT_EXISTS'],
  ['a link to an annotation', ['cut.json', '-o', 'xml.html', '--data', 'voc', '--force'], 2, 'ERR_OUTPUT_EXISTS'],
  ['a page that is no HTML', ['cut.json', '-o', 'page.json'], 2, 'ERR_USAGE'],
  ['pictures of one model', ['one.json', '-o', 'x.html', '--data', 'voc'], 2, 'ERR_USAGE'],
  ['timing of one model', ['one.json', '-o', 'x.html', '--bench'], 2, 'ERR_USAGE'],
  ['half a picture', ['cut.json', '-o', 'x.html', '--data', 'voc', '--pictures', '0.5'], 2, 'ERR_USAGE'],
  ['a folder that is missing', ['cut.json', '-o', 'none/x.html'], 1, 'ERR_IO'],
  ['a split that is missing', ['cut.json', '-o', 'x.html', '--data', 'voc', '--split', 'test'], 1, 'ERR_BAD_DATA'],
  ['a report that is missing', ['none.json', '-o', 'x.html'], 1, 'ERR_IO'],
  ['another kind of report', ['eval.json', '-o', 'x.html'], 1, 'ERR_BAD_DATA'],
  ['a log that is none', ['cut.json', '-o', 'x.html', '--log', 'cut.json'], 1, 'ERR_BAD_DATA'],
  ['curves that are none', ['cut.json', '-o', 'x.html', '--sensitivity', 'cut.json'], 1, 'ERR_BAD_DATA'],
])('refuses %s', (_, args, status, code) => {
  writeFileSync(path.join(folder, 'there.html'), '');
  write('link.html', pruneDocument);
  write('one.json', sensitivityDocument);
  write('eval.json', { schema: 'ssd-prune.eval/1' });
  const link = path.join(folder, 'xml.html');
  try {
    symlinkSync(path.join('voc', 'Annotations', 'val_000001.xml'), link);
  } catch {
    // Made by the test before.
  }
  const refused = report(...(args as [string, ...string[]]));
  expect(failure(refused)).toEqual({ status, code, stdout: '' });
});

test('what says how pictures are drawn needs pictures', () => {
  const made = report('cut.json', '-o', 'no.html', '--split', 'val', '--score-threshold', '0.5');
  expect(failure(made)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
  expect(errorOf(made).message).toContain('--split, --score-threshold change nothing without --data');
  const odd = report('cut.json', '-o', 'no.html', '--data', 'voc', '--score-threshold', '2');
  expect(failure(odd)).toMatchObject({ status: 2, code: 'ERR_USAGE' });
});
