import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CompressionEvent } from '../../lib/compress/events';
import type { RunConfig } from '../../lib/config/config';
import { scenesFolder, scenesRun } from '../compress/scenes-run';
import { temporary } from '../data/folders';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { JsonLog } = dist('report/run-log') as typeof import('../../lib/report/run-log');
const { readRunLog } = dist('report/run-history') as typeof import('../../lib/report/run-history');
const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');

jest.setTimeout(300_000);

type Told = CompressionEvent & { step?: number };

const lossOf = (step: number): number => 10 / (1 + (step % 7)) + 1 / step;

/** A run of so many steps in epochs of 100, with a checkpoint each and every 70 steps. */
function eventsOf(steps: number): Told[] {
  const told: Told[] = [];
  for (let step = 1; step <= steps; step++) {
    const epoch = step / 100;
    if (step % 100 === 1) told.push({ event: 'epoch', epoch: Math.floor(epoch), epochs: steps / 100 });
    const loss = {
      total: lossOf(step),
      classes: step,
      boxes: 0,
      teacherClasses: 0,
      teacherBoxes: 0,
      teacherFeatures: 0,
    };
    const rest = { rate: 1 / step, gradientNorm: 2 * step, imagesPerSecond: 40, secondsLeft: 1 };
    told.push({ event: 'step', step, steps, epoch, loss, ...rest });
    if (step % 100 === 0) {
      told.push({ event: 'evaluation', step, epoch, map: 0.5, best: true, seconds: 1 });
      told.push({ event: 'metric', stage: 'epoch', epoch, step, map: 0.25, meanOver20: null, seconds: 1 });
    }
    if (step % 100 === 0 || step % 70 === 0) told.push({ event: 'checkpoint', place: `checkpoints/${step}` });
  }
  return told;
}

const begin = (resumed: string | null): Told[] => [
  { event: 'warning', message: 'said each time' },
  { event: 'begin', epochs: 1, resumed },
];

async function write(file: string, told: readonly Told[], resume: boolean): Promise<void> {
  const log = await JsonLog.open(file, { resume });
  for (const event of told) log.event(event);
  await log.close();
}

/** Lines without what hangs on the clock. */
const linesOf = (file: string, without: readonly string[] = []): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ event }) => !without.includes(event))
    .map(({ time, seconds, imagesPerSecond, ...rest }) => rest)
    // A run that went on cuts the network of a checkpoint's file.
    .map(({ report, ...rest }) => (report ? { ...rest, report: { ...report, model: null, seconds: 0 } } : rest));

test('to go on, no file is taken for a log that is none; one that was just begun is', async () => {
  const file = path.join(temporary(), 'notes.txt');
  for (const text of ['mine', '{"mine": 1}\n']) {
    writeFileSync(file, text);
    await expect(JsonLog.open(file, { resume: true })).rejects.toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
    expect(readFileSync(file, 'utf8')).toBe(text);
  }
  for (const text of ['', '{"ti', '{"time":1,"event":"begin"}\n{"tim']) {
    writeFileSync(file, text);
    await write(file, begin(null), true);
    expect(linesOf(file).map(({ event }) => event)).toEqual(['begin', 'warning']);
  }
});

test('steps are thinned to means, everything else is whole', async () => {
  const file = path.join(temporary(), 'log.jsonl');
  await write(file, [...begin(null), ...eventsOf(2500)], false);
  const { points, evaluations, metrics } = await readRunLog(file);
  // Every third step, and the last.
  expect(points.map(({ step }) => step)).toEqual([...Array.from({ length: 833 }, (_, i) => 3 * (i + 1)), 2500]);
  const mean = (of: (step: number) => number, steps: number[]) =>
    steps.reduce((sum, step) => sum + of(step), 0) / steps.length;
  expect(points[100]!.loss.total).toBeCloseTo(mean(lossOf, [301, 302, 303]), 12);
  expect(points[100]!.gradientNorm).toBeCloseTo(2 * 302, 12);
  expect(points[100]).toMatchObject({ rate: 1 / 303, epoch: 3.03, steps: 2500 });
  expect(points.at(-1)!.loss.classes).toBe(2500);
  expect([evaluations.length, metrics.length]).toEqual([25, 25]);
  expect(linesOf(file).filter(({ event }) => event === 'checkpoint')).toHaveLength(57);
  expect(linesOf(file)[0]).toEqual({ event: 'begin', epochs: 1, resumed: null });
});

test('the log of a run that was killed and went on holds what that of an unbroken one does', async () => {
  const told = eventsOf(2500);
  const whole = path.join(temporary(), 'log.jsonl');
  await write(whole, [...begin(null), ...told], false);
  // Behind a checkpoint, in the middle of a mean, before an evaluation's checkpoint, and twice.
  for (const kills of [[72], [141, 145], [699, 701, 702], [2499], [1403, 600]]) {
    const file = path.join(temporary(), 'log.jsonl');
    let from: string | null = null;
    for (const kill of [...kills, Number.POSITIVE_INFINITY]) {
      const at = told.findIndex((event) => event.event === 'checkpoint' && event.place === from);
      const rest = told.slice(at + 1);
      const end = rest.findIndex((event) => event.event === 'step' && event.step === kill);
      const lived =
        end < 0 && kill !== Number.POSITIVE_INFINITY ? rest.slice(0, 10) : rest.slice(0, end < 0 ? undefined : end);
      await write(file, [...begin(from), ...lived], from !== null);
      from = lived.filter((event) => event.event === 'checkpoint').at(-1)?.place ?? from;
    }
    expect(linesOf(file)).toEqual(linesOf(whole));
  }
});

test('killed between a checkpoint and its line, or within a line, it goes on behind the last step before', async () => {
  const told = eventsOf(300);
  const whole = path.join(temporary(), 'log.jsonl');
  await write(whole, [...begin(null), ...told], false);
  const file = path.join(temporary(), 'log.jsonl');
  const at = told.findIndex((event) => event.event === 'checkpoint' && event.place === 'checkpoints/140');
  const later = told.slice(at + 1, at + 30);
  await write(file, [...begin(null), ...told.slice(0, at), ...later], false);
  writeFileSync(file, '{"event":"step","step":1', { flag: 'a' });
  expect((await readRunLog(file)).points.length).toBeGreaterThan(140);
  await write(file, [...begin('checkpoints/140'), ...told.slice(at + 1)], true);
  const missing = (line: Record<string, unknown>) => line.place !== 'checkpoints/140';
  expect(linesOf(file)).toEqual(linesOf(whole).filter(missing));
});

test('a run that is at its end says into an empty log what there is to say', async () => {
  const file = path.join(temporary(), 'log.jsonl');
  writeFileSync(file, '');
  await write(file, [...begin('checkpoints/300'), { event: 'note', message: 'done' }], true);
  expect(linesOf(file)).toMatchObject([{ event: 'warning' }, { event: 'note', message: 'done' }]);
  // No more of it the next time.
  await write(file, [...begin('checkpoints/300'), { event: 'note', message: 'done' }], true);
  expect(linesOf(file)).toHaveLength(2);
});

test('notes on work that was kept, and is not done again, stay where they stand', async () => {
  const note = (message: string): Told => ({ event: 'note', message });
  const epoch = (number: number): Told => ({ event: 'epoch', epoch: number, epochs: 2 });
  const search = (number: number) => [1, 2, 3].map((i) => note(`epoch ${number}: widths ${i} of 3`));
  const saved: Told = { event: 'checkpoint', place: 'checkpoints/1' };
  const told = [epoch(0), ...search(0), saved, epoch(1), ...search(1)];
  const whole = path.join(temporary(), 'log.jsonl');
  await write(whole, [...begin(null), ...told], false);
  const file = path.join(temporary(), 'log.jsonl');
  // Killed in each search; what was found by then is kept, and nobody tells of it again.
  await write(file, [...begin(null), epoch(0), ...search(0).slice(0, 2)], false);
  await write(file, [...begin(null), epoch(0), ...search(0).slice(2), saved, epoch(1), ...search(1).slice(0, 1)], true);
  await write(file, [...begin('checkpoints/1'), epoch(1), ...search(1).slice(1)], true);
  expect(linesOf(file)).toEqual(linesOf(whole));
  expect(linesOf(file).filter(({ event }) => event === 'note')).toHaveLength(6);
  // A log whose checkpoints are gone is of another run.
  await write(file, [...begin(null), epoch(0)], true);
  expect(linesOf(file).filter(({ event }) => event === 'note')).toEqual([]);
});

test('a log of another run is not replaced unasked, and one that can’t be written is told at once', async () => {
  const folder = path.join(temporary(), 'logs');
  mkdirSync(folder);
  const file = path.join(folder, 'log.jsonl');
  await write(file, begin(null), false);
  await expect(JsonLog.open(file)).rejects.toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
  await (await JsonLog.open(path.join(folder, 'other.jsonl'))).close();
  // A run that never began leaves none.
  expect(existsSync(path.join(folder, 'other.jsonl'))).toBe(false);
  const onError = jest.fn();
  const log = await JsonLog.open(file, { force: true, onError });
  rmSync(folder, { recursive: true });
  for (const event of [...begin(null), ...eventsOf(100)]) log.event(event);
  await expect(log.close()).rejects.toMatchObject({ code: 'ERR_IO', message: expect.stringContaining(file) });
  expect(onError).toHaveBeenCalledTimes(1);
});

test.each([
  ['no JSON', '{"event":"begin"}\n{\n', /log\.jsonl:2: no line of JSON/],
  ['no event', '[]\n', /log\.jsonl:1: .* tells of no event/],
  ['a step without losses', '{"event":"step","step":1}\n', /log\.jsonl:1: steps: /],
  ['a metric of no stage', '{"event":"metric","stage":"end"}\n', /log\.jsonl:1: stage: /],
])('a log with %s is refused by line', async (_, content, message) => {
  const file = path.join(temporary(), 'log.jsonl');
  writeFileSync(file, content);
  await expect(readRunLog(file)).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringMatching(message),
  });
  await expect(readRunLog(`${file}.none`)).rejects.toMatchObject({ code: 'ERR_IO' });
});

test('a real run, called off in its first epoch', async () => {
  const data = await scenesFolder();
  const logged = async (config: RunConfig, stops: readonly number[]): Promise<string> => {
    const file = path.join(path.dirname(config.file), 'log.jsonl');
    for (const stop of [...stops, Number.POSITIVE_INFINITY]) {
      const log = await JsonLog.open(file, { resume: true });
      const controller = new AbortController();
      const onEvent = (event: CompressionEvent): void => {
        log.event(event);
        if (event.event === 'step' && event.step === stop) controller.abort();
      };
      const run = new Compressor(config, { resume: true, signal: controller.signal, onEvent }).run();
      await (stop === Number.POSITIVE_INFINITY ? run : expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' }));
      await log.close();
    }
    return file;
  };
  const unbroken = await logged(scenesRun(data), []);
  const broken = await logged(scenesRun(data), [5]);
  // Interruptions save where they come; nothing else tells the two apart.
  expect(linesOf(broken, ['checkpoint', 'note'])).toEqual(linesOf(unbroken, ['checkpoint', 'note']));
  const { points, metrics, evaluations, cuts } = await readRunLog(broken);
  expect(points.map(({ step }) => step)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  expect(metrics.map(({ stage }) => stage)).toEqual(['start', 'cut', 'epoch', 'cut', 'epoch', 'epoch']);
  expect([evaluations.length, cuts.map(({ step }) => step)]).toEqual([5, [0, 8]]);
});
