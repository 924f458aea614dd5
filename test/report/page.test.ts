import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BenchReport } from '../../lib/bench/bench';
import { temporary } from '../data/folders';
import {
  finetuneDocument,
  hostile,
  madeHostile,
  mapSensitivityDocument,
  pruneDocument,
  runDocument,
  sensitivityDocument,
  stepPoints,
} from './documents';
import { rendered } from './rendered';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { readPageDocument } = dist('report/page/document') as typeof import('../../lib/report/page/document');

const picture = {
  name: '000001.jpg',
  before: { jpeg: Buffer.from('before'), width: 4, height: 3, boxes: [{ class: 'cat', score: 0.875 }] },
  after: { jpeg: Buffer.from('after'), width: 4, height: 3, boxes: [] },
};
const extras = { history: { points: stepPoints }, sensitivity: sensitivityDocument, pictures: [picture] };

/** What stands between tags, a line a table row. */
const textOf = (page: string): string =>
  page
    .replace(/<(style|title)>.*?<\/\1>/gs, '')
    .replace(/<\/(?:th|td)>/g, ' | ')
    .replace(/<[^>]*>/g, '');
const rowOf = (page: string, name: string): string =>
  [...page.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row]) => row!).find((row) => textOf(row).startsWith(name))!;
const widths = (markup: string): number[] =>
  [...markup.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));

test('a run: what it was before and after all of its cuts, with bars', () => {
  const page = rendered(runDocument, { ...extras, bytes: { before: 4000, after: 2500 } });
  expect(textOf(rowOf(page, 'MACs'))).toBe('MACs | 2 k | 1.2 k | −40.0 % |  | ');
  expect(textOf(rowOf(page, 'Size of the file'))).toContain('4 kB | 2.5 kB | −37.5 %');
  expect(textOf(rowOf(page, 'mAP'))).toContain('0.7500 | 0.6875 | −8.3 %');
  expect(widths(rowOf(page, 'MACs'))).toEqual([100, 60]);
  // 16 channels to 12 to 8; 800 of 2000 MACs, then 400: the most of any layer is the whole length.
  const [first, second] = [rowOf(page, 'conv_1'), rowOf(page, 'conv_2')];
  expect(textOf(first)).toBe('conv_1 | (16, 3, 3, 3) | (8, 3, 3, 3) | 16 | 8 |  | 40.0 % | 20.0 % |  | ');
  expect(widths(first)).toEqual([100, 50, 100, 50]);
  // The second cut took inputs of conv_2, whose MACs no report says.
  expect(textOf(second)).toBe('conv_2 | (32, 16, 1, 1) | (16, 8, 1, 1) | 32 | 16 |  | 20.0 % | – |  | ');
  expect(widths(second)).toEqual([100, 50, 50, 0]);
  const text = textOf(page);
  for (const part of [
    'metric_name: acc_top1 is mAP here',
    'optimizer.maxNorm',
    'an output of the model',
    '1 left out',
    'best on the pictures held back: epoch 1, mAP 0.3750 there',
  ]) {
    expect(text).toContain(part);
  }
});

test('mAP by epoch and losses are drawn, with their numbers beside them', () => {
  const page = rendered(runDocument, extras);
  const labels = [...page.matchAll(/aria-label="([^"]*)"/g)].map(([, label]) => label);
  expect(labels).toContain('mAP on val (20 pictures). evaluation split from 0.7500 to 0.6875');
  expect(labels.find((label) => label!.startsWith('Loss.'))).toMatch(
    /^Loss\. all from 8 to [\d.]+; classes from 6 .*; boxes/,
  );
  expect(page).not.toContain('teacher’s classes');
  // Twice at the epoch of a cut: before and behind it.
  const numbers = (shown: string, title: string): string[] => {
    const table = shown.slice(shown.indexOf(`${title}: numbers`));
    const rows = [...table.slice(0, table.indexOf('</table>')).matchAll(/<tr>(.*?)<\/tr>/gs)];
    return rows.slice(1).map(([, row]) => textOf(row!));
  };
  expect(numbers(page, 'mAP on val (20 pictures)')).toEqual([
    ...['0 | start | 0.7500 | ', '0 | behind a cut | 0.5000 | ', '1 | epoch | 0.6250 | '],
    ...['1 | behind a cut | 0.5625 | ', '2 | epoch | 0.6875 | ', '3 | epoch | 0.6875 | '],
  ]);
  // Networks are judged right behind their cuts; of the last one here nobody knows.
  const held = 'mAP on the training pictures held back';
  expect(numbers(page, held)).toEqual(['0 | behind a cut | 0.2500 | ', '1 |  | 0.3750 | ']);
  const [first, second] = runDocument.heldBack;
  const later = [first!, second!, { ...second!, map: 0.125 }, { step: 20, epoch: 2, map: 0.5 }];
  expect(
    numbers(rendered({ ...runDocument, heldBack: later }, extras), held).map((row) => row.split(' | ')[1]),
  ).toEqual(['behind a cut', 'epoch', 'behind a cut', 'epoch']);
  const marks = [...page.matchAll(/cut −(\d+) %/g)].map(([, cut]) => cut);
  expect(new Set(marks)).toEqual(new Set(['25', '20']));
});

test('fine-tuning alone, with timing: what differs by less than a hundredth is neither better nor worse', () => {
  const result = { threads: 1, batchSize: 1, imagesPerSecond: 40, ratio: null };
  const latency = {
    ...{ schema: 'ssd-prune.bench/1', machine: { cpu: 'EPYC', cores: 2, node: '20', memory: 1, gpu: null } },
    ...{ runtime: '1.30.0', device: 'cpu', runs: 50, warmup: 5, models: [] },
    results: [
      { ...result, model: 'small.onnx', minMilliseconds: 20, medianMilliseconds: 25 },
      { ...result, model: 'tuned.onnx', minMilliseconds: 20.1, medianMilliseconds: 20 },
    ],
  } as unknown as BenchReport;
  const page = rendered(finetuneDocument, { latency });
  expect(textOf(rowOf(page, 'mAP, pictures held back'))).toContain('0.5000 | 0.6250 | +25.0 %');
  expect(rowOf(page, 'mAP, pictures held back')).toContain('class="good"');
  expect(textOf(rowOf(page, 'Latency, median'))).toContain('25.00 ms | 20.00 ms | −20.0 %');
  expect(rowOf(page, 'Latency, least')).toContain('class="same">+0.5 %');
  expect(textOf(page)).toContain('50 runs of each model taking turns, batch 1, one thread, EPYC, ONNX Runtime 1.30.0');
  expect(textOf(page)).toContain('1 h 7 min');
  const last = rendered({ ...finetuneDocument, kept: 'last' });
  expect(textOf(rowOf(last, 'mAP, pictures held back'))).toContain('0.5000 | 0.5625 | +12.5 %');
});

test('a cut alone, and curves alone', () => {
  const cut = rendered(pruneDocument);
  expect(textOf(rowOf(cut, 'Paddle 1.x FLOPs'))).toContain('4 k | 3 k | −25.0 %');
  expect(textOf(cut)).toContain('largest difference 1.5e-7 on 3 pictures');
  expect(cut).not.toContain('id="training"');
  const curves = rendered(sensitivityDocument);
  expect(curves).toContain('<h1>Sensitivity of ssd.onnx</h1>');
  expect(textOf(rowOf(curves, 'conv_2'))).toBe('conv_2 | 16 | 40.00 % | 12: 12.50 % | 8: 25.00 % | 4: 37.50 % | ');
  const losses = rendered(mapSensitivityDocument);
  expect(losses).toContain('<h1>Sensitivity of ssd.onnx</h1>');
  expect(textOf(rowOf(losses, 'conv_2'))).toBe('conv_2 | 12 of 16 | −25.0 % | 0.5469 | 12.50 % | 40.00 % | 2.50 % | ');
  expect(textOf(losses)).toContain('mAP of the whole model | 0.6250');
});

test('pictures are inside the page, with what was found as their text', () => {
  const page = rendered(runDocument, extras);
  expect(page).toContain(`src="data:image/jpeg;base64,${Buffer.from('before').toString('base64')}"`);
  expect(page).toContain('alt="000001.jpg, before: cat 0.88"');
  expect(page).toContain('alt="000001.jpg, after: nothing"');
});

test.each([
  ['run', runDocument],
  ['prune', pruneDocument],
  ['finetune', finetuneDocument],
  ['sensitivity', sensitivityDocument],
  ['map sensitivity', mapSensitivityDocument],
])('names of a %s report can neither run nor load anything', (_, document) => {
  const page = rendered(madeHostile(document), madeHostile({ sensitivity: sensitivityDocument }));
  const plain = rendered(document, { sensitivity: sensitivityDocument });
  // The tags of the page, in order, are those that it has with harmless names, whatever stands in their attributes.
  const tags = (text: string) => [...text.matchAll(/<\/?[a-z!][\w!-]*/gi)].map(([tag]) => tag);
  expect(tags(page)).toEqual(tags(plain));
  expect(page).not.toMatch(/<script|<img(?! src="data:)/i);
  expect(page).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;');
  expect(page).not.toContain('\u0000');
  expect(hostile.length).toBeGreaterThan(5);
});

test('reports that are none are refused by file and key', () => {
  const folder = temporary();
  const write = (content: object) => {
    const file = path.join(folder, 'report.json');
    writeFileSync(file, JSON.stringify(content));
    return file;
  };
  const refused = (content: object) => {
    try {
      readPageDocument(write(content));
    } catch (error) {
      return error;
    }
  };
  expect(readPageDocument(write(runDocument))).toMatchObject({ schema: 'ssd-prune.run/1', steps: 30 });
  expect(refused({ schema: 'ssd-prune.eval/1' })).toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringMatching(
      /report\.json has the schema "ssd-prune\.eval\/1"; pages are made of ssd-prune\.run/,
    ),
  });
  expect(refused({ ...runDocument, metrics: [{ stage: 'end' }] })).toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringContaining('report.json: metrics.0.'),
  });
});

test('the page module draws nothing, and loads no drawing, where there is nothing to draw', () => {
  const script = `const { renderPage } = require(${JSON.stringify(path.resolve('dist/lib/report/page/page'))});
    renderPage(${JSON.stringify(pruneDocument)});
    console.log(Object.keys(require.cache).some((file) => file.includes('observablehq')));`;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim()).toBe('false');
});
