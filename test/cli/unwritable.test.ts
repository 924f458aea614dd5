import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { noisePictures } from '../calibrate/noise-pictures';
import { vocFolder } from '../data/folders';
import { command, errorOf, events, failure, graph, main, temporary } from './command';
import { detectorModel } from './detector-model';

/** Root may write anywhere: its commands run as somebody else here, who must be able to read the package for that. */
const asSomebody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const reads = spawnSync(process.execPath, [main, '--version'], asSomebody).status === 0;
const available = reads && process.platform !== 'win32' ? test : test.skip;

/** A folder that everybody may read and nobody may write into. */
let closed: string;
let open: Record<'model' | 'detector' | 'pictures' | 'data' | 'writable', string>;
const graphModel = graph('dynamic-batch-legacy-11');

beforeAll(async () => {
  const place = temporary();
  chmodSync(place, 0o755);
  closed = path.join(place, 'closed');
  mkdirSync(closed, 0o555);
  chmodSync(closed, 0o555);
  const { folder, detector } = await noisePictures(4, 64);
  const data = await vocFolder({ p: { width: 64, height: 48, objects: [{ name: 'car', box: [3, 3, 40, 40] }] } });
  const model = detectorModel();
  for (const own of [folder, data, path.dirname(model)]) chmodSync(own, 0o755);
  open = { model, detector, pictures: folder, data, writable: temporary() };
  chmodSync(open.writable, 0o777);
});

const at = (name: string): string => path.join(closed, name);
const calibrated = () => [
  '--pruned-params',
  '.*',
  '--skip-locked',
  '--calibrate',
  open.pictures,
  '--detector',
  open.detector,
];

describe('an output in a folder that may not be written into is refused before the work', () => {
  available.each<[string, () => string[]]>([
    ['sensitivity --plot', () => ['sensitivity', graphModel, ...calibrated(), '--plot', at('curves.svg')]],
    ['sensitivity --report', () => ['sensitivity', graphModel, ...calibrated(), '--report', at('report.json')]],
    ['prune -o', () => ['prune', graphModel, ...calibrated(), '--target-ratio', '0.2', '-o', at('small.onnx')]],
    [
      'prune --report',
      () => ['prune', graphModel, ...calibrated(), '--target-ratio', '0.2', '--dry-run', '--report', at('report.json')],
    ],
    [
      'prune --report of several targets',
      () => [
        ...['prune', graphModel, '--pruned-params', '.*', '--skip-locked', '--target-ratio', '0.1,0.2', '--dry-run'],
        ...['--report', at('report.json')],
      ],
    ],
    ['finetune -o', () => ['finetune', open.model, '--data', open.data, '--split', 'val', '-o', at('tuned.onnx')]],
    [
      'finetune --state',
      () => [
        ...[
          'finetune',
          open.model,
          '--data',
          open.data,
          '--split',
          'val',
          '-o',
          path.join(open.writable, 'tuned.onnx'),
        ],
        ...['--state', at('tuned.state')],
      ],
    ],
    ['eval --detections', () => ['eval', open.model, '--data', open.data, '--detections', at('found.json')]],
    ['detect -o', () => ['detect', open.model, path.join(open.pictures, '0.png'), '-o', closed]],
    ['scenes', () => ['scenes', closed, '--count', '2']],
    ['demo -o', () => ['demo', '-o', closed]],
    ['init', () => ['init', at('ssd.onnx')]],
  ])('%s', (_, args) => {
    const ended = command([...args(), '--json'], asSomebody);
    expect(failure(ended)).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
    expect(errorOf(ended).message).toMatch(/^Can't (write|make the folder) .*closed.*permission denied$/);
    // No progress and no note: nothing was begun.
    expect(events(ended)).toHaveLength(1);
    expect(readdirSync(closed)).toEqual([]);
  });
});
