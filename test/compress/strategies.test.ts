import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CompressionEvent } from '../../lib/compress/events';
import type { RunReport } from '../../lib/compress/run-report';
import type { Strategy } from '../../lib/compress/strategy';
import type { RunConfig, StrategyConfig } from '../../lib/config/config';
import { temporary } from '../data/folders';
import { scenesFolder, scenesRun } from './scenes-run';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');
const { cutAfter } = dist('compress/iterative-strategy') as typeof import('../../lib/compress/iterative-strategy');
const { registerStrategy } = dist('compress/strategies') as typeof import('../../lib/compress/strategies');
const { readConfig } = dist('config/config') as typeof import('../../lib/config/config');

jest.setTimeout(300_000);

let data: string;
beforeAll(async () => {
  data = await scenesFolder();
});

/** A run with one strategy of a class, whose options are those of the uniform cut but for these. */
function runOf(name: string, epochs: number, options: object): RunConfig {
  const config = scenesRun(data);
  const { targetRatio: _, allocation, ...common } = config.compressor.strategies[0]!.options;
  // Auto and Sensitive find their own widths.
  const widths = ['AutoPruneStrategy', 'SensitivePruneStrategy'].includes(name) ? {} : { allocation };
  const own = { ...common, ...widths, ...options };
  const strategies = [{ name: 'own', class: name, where: 'run.yaml:1:1', options: own }];
  return { ...config, compressor: { ...config.compressor, epochs, strategies } };
}

test('the share that is gone after some of the cuts', () => {
  // By hand: equal factors, 0.6^(1/3) of what is left each; half a cosine.
  expect([1, 2, 3].map((step) => cutAfter(step / 3, 0.4, 'exponential'))).toEqual([
    expect.closeTo(1 - 0.843433, 5),
    expect.closeTo(1 - 0.711379, 5),
    expect.closeTo(0.4, 10),
  ]);
  expect([0.25, 0.5, 1].map((share) => cutAfter(share, 0.4, 'cosine'))).toEqual([
    expect.closeTo(0.0585786, 6),
    expect.closeTo(0.2, 10),
    expect.closeTo(0.4, 10),
  ]);
});

/** The code that a run ends with which is called off at the first event that `when` is true of; undefined where it ends well. */
function codeOf(config: RunConfig, when: (event: CompressionEvent) => boolean): Promise<string | undefined> {
  const controller = new AbortController();
  const onEvent = (event: CompressionEvent) => when(event) && controller.abort();
  const run = new Compressor(config, { onEvent, signal: controller.signal }).run();
  return run.then(
    () => undefined,
    ({ code }) => code,
  );
}

describe('a little every epoch', () => {
  const options = { targetRatio: 0.4, steps: 3, every: 1, curve: 'exponential', align: 4 };
  let model: Buffer;

  test('reaches the target in as many cuts as are asked for, each relative to what is left', async () => {
    const config = runOf('IterativePruneStrategy', 4, options);
    const report = await new Compressor(config).run();
    model = readFileSync(config.output.model);
    expect(report.cuts.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
    const whole = report.macs.before;
    for (const [i, cut] of report.cuts.entries()) {
      const gone = 1 - cut.report.macs.after / whole;
      expect(gone).toBeCloseTo(cutAfter((i + 1) / 3, 0.4, 'exponential'), 1);
    }
    expect(Math.abs(report.macs.cut - 0.4)).toBeLessThan(0.05);
  });

  test('stopped between two cuts, it goes on to the same bits', async () => {
    const config = runOf('IterativePruneStrategy', 4, options);
    expect(await codeOf(config, (event) => event.event === 'step' && event.step === 12)).toBe('ERR_ABORTED');
    await new Compressor(config, { resume: true }).run();
    expect(readFileSync(config.output.model).equals(model)).toBe(true);
  });
});

test('annealing cuts to the best widths that it judged, within its bounds, and to the same again', async () => {
  const annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
  const options = { minRatio: 0.1, maxRatio: 0.3, searchSteps: 4, annealing, seed: 3 };
  const search = async () => {
    const notes: string[] = [];
    const config = runOf('AutoPruneStrategy', 1, options);
    const onEvent = (event: CompressionEvent) => event.event === 'note' && notes.push(event.message);
    const report = await new Compressor(config, { onEvent }).run();
    return { notes, report };
  };
  const { notes, report } = await search();
  expect(notes).toHaveLength(4);
  expect(report.macs.cut).toBeGreaterThanOrEqual(0.1);
  expect(report.macs.cut).toBeLessThanOrEqual(0.3);
  // The cut network is judged once more, as training begins with it.
  const best = Number(/best ([\d.]+)$/.exec(notes[3]!)![1]);
  expect(report.heldBack[0]!.map).toBeCloseTo(best, 4);
  const again = await search();
  expect(again.notes).toEqual(notes);
  expect(again.report.cuts[0]!.report.layers).toEqual(report.cuts[0]!.report.layers);
});

test('annealing begins within bounds that are narrower than the tolerance, or not at all', async () => {
  const annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
  const run = (minRatio: number, maxRatio: number) =>
    new Compressor(
      runOf('AutoPruneStrategy', 1, { minRatio, maxRatio, searchSteps: 1, annealing, seed: 3, tolerance: 0.05 }),
    ).run();
  const { macs } = await run(0.2, 0.23);
  expect(macs.cut).toBeGreaterThanOrEqual(0.2);
  expect(macs.cut).toBeLessThanOrEqual(0.23);
  await expect(run(0.2, 0.2001)).rejects.toMatchObject({ code: 'ERR_TARGET_UNREACHABLE' });
});

test('annealing that finds no other widths within its bounds ends with those that it has', async () => {
  const annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
  const only = { prunedParams: 'conv2d_12.w_0', align: 32, tolerance: 0.05 };
  const options = { minRatio: 0.021, maxRatio: 0.028, searchSteps: 3, annealing, seed: 3, startEpoch: 1 };
  const report = await new Compressor(runOf('AutoPruneStrategy', 2, { ...options, ...only })).run();
  expect(report.macs.cut).toBeGreaterThanOrEqual(0.021);
  expect(report.macs.cut).toBeLessThanOrEqual(0.028);
  expect(report.warnings).toContainEqual(expect.stringMatching(/^own: of 300 changes of a width none cuts between /));
});

describe('annealing that was ended', () => {
  const annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
  const options = { startEpoch: 1, minRatio: 0.1, maxRatio: 0.3, searchSteps: 5, annealing, seed: 3 };

  /** Runs until as many widths were judged; what was said of them. */
  async function search(config: RunConfig, until = Number.POSITIVE_INFINITY): Promise<string[]> {
    const notes: string[] = [];
    const controller = new AbortController();
    const onEvent = (event: CompressionEvent) => {
      if (event.event === 'note' && event.message.includes('widths')) notes.push(event.message);
      if (notes.length === until) controller.abort();
    };
    const run = new Compressor(config, { resume: true, onEvent, signal: controller.signal }).run();
    if (until === Number.POSITIVE_INFINITY) await run;
    else await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    return notes;
  }

  const unfinished = (config: RunConfig): string[] =>
    readdirSync(config.compressor.checkpoints.folder).filter((name) => name.startsWith('unfinished'));

  test('inside its search goes on with the next widths, to the same bytes', async () => {
    const unbroken = runOf('AutoPruneStrategy', 2, options);
    const notes = await search(unbroken);
    expect(notes).toHaveLength(5);
    const config = runOf('AutoPruneStrategy', 2, options);
    const parts = [await search(config, 2), await search(config, 1)];
    expect(unfinished(config)).toHaveLength(1);
    expect([...parts, await search(config)].flat()).toEqual(notes);
    expect(readFileSync(config.output.model).equals(readFileSync(unbroken.output.model))).toBe(true);
    // A checkpoint holds what came of it.
    expect(unfinished(config)).toEqual([]);
    // Damaged, or of another search, it is begun anew.
    const again = runOf('AutoPruneStrategy', 2, options);
    expect(await search(again, 3)).toEqual(notes.slice(0, 3));
    const [file] = unfinished(again).map((name) => path.join(again.compressor.checkpoints.folder, name));
    writeFileSync(file!, readFileSync(file!, 'utf8').replace('"step":3', '"step":4'));
    expect(await search(again, 1)).toEqual(notes.slice(0, 1));
  });

  test('before any checkpoint goes on, too, but not with other settings', async () => {
    const at = { ...options, startEpoch: 0 };
    const config = runOf('AutoPruneStrategy', 1, at);
    const first = await search(config, 2);
    const [entry] = config.compressor.strategies;
    const other = structuredClone(config);
    other.compressor.strategies = [{ ...entry!, options: { ...entry!.options, maxRatio: 0.31 } }];
    expect((await search(other, 1))[0]).toMatch(/^own: widths 1 of 5/);
    // Which has taken the place of what was kept.
    expect(await search(config, 2)).toEqual(first);
    expect((await search(config, 1))[0]).toMatch(/^own: widths 3 of 5/);
  });
});

describe('by what each layer costs', () => {
  const options = (file: string) => ({ targetRatio: 0.4, steps: 1, ratios: [0.25, 0.5], evalRate: 1, file });
  const pointsOf = (file: string) => {
    const { layers, complete, base } = JSON.parse(readFileSync(file, 'utf8'));
    return { layers, complete, base };
  };

  test('losses are measured once, whatever ends the run meanwhile, and widths follow from them', async () => {
    const file = path.join(temporary(), 'sensitivities.json');
    const config = runOf('SensitivePruneStrategy', 1, options(file));
    const notes: string[] = [];
    const controller = new AbortController();
    const onEvent = (event: CompressionEvent) => {
      if (event.event === 'note' && event.message.startsWith('own: conv2d')) notes.push(event.message);
      if (notes.length === 5) controller.abort();
    };
    await expect(new Compressor(config, { onEvent, signal: controller.signal }).run()).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(pointsOf(file).complete).toBe(false);
    const report = await new Compressor(config, { resume: true, onEvent }).run();
    expect(pointsOf(file).complete).toBe(true);
    // Every point is told of once.
    const told = notes.map((note) => /\((\d+) of (\d+)\)$/.exec(note)!.slice(1).map(Number));
    expect(told.map(([done]) => done)).toEqual(Array.from({ length: told[0]![1]! }, (_, i) => i + 1));
    expect(Math.abs(report.macs.cut - 0.4)).toBeLessThan(0.06);
    expect(report.cuts[0]!.report.allocation).toBe('sensitivity');
    // The layer that costs least at half its width keeps a smaller share than the one that costs most.
    const { layers } = pointsOf(file) as { layers: { name: string; points: { kept: number; loss: number }[] }[] };
    const ratio = (name: string) => report.cuts[0]!.report.layers.find((layer) => layer.name === name)!.ratio;
    const costs = layers.map(({ name, points }) => ({
      name,
      loss: points.reduce((worst, one) => Math.max(worst, one.loss), 0),
    }));
    costs.sort((a, b) => a.loss - b.loss);
    expect(ratio(costs[0]!.name)).toBeGreaterThan(ratio(costs.at(-1)!.name));
  });

  test('points of another model are refused, unless the run starts over by force', async () => {
    const file = path.join(temporary(), 'sensitivities.json');
    const config = runOf('SensitivePruneStrategy', 1, options(file));
    await new Compressor(config).run();
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/"modelChecksum": ?"\w{8}/, '"modelChecksum": "00000000'));
    await expect(new Compressor(runOf('SensitivePruneStrategy', 1, options(file))).run()).rejects.toMatchObject({
      code: 'ERR_OUTPUT_EXISTS',
    });
    await new Compressor(runOf('SensitivePruneStrategy', 1, options(file)), { force: true }).run();
    expect(pointsOf(file)).toEqual((({ layers, complete, base }) => ({ layers, complete, base }))(JSON.parse(text)));
  });

  test('losses of later steps of an earlier run are refused before the first epoch', async () => {
    const file = path.join(temporary(), 'sensitivities.json');
    writeFileSync(`${file}.epoch2`, '{}');
    writeFileSync(`${file}.epochs`, 'not ours');
    const run = (steps: number) => {
      const seen: string[] = [];
      const config = runOf('SensitivePruneStrategy', 3, { ...options(file), steps });
      return new Compressor(config, { onEvent: ({ event }: CompressionEvent) => seen.push(event) })
        .run()
        .then(() => seen)
        .catch((error) => {
          expect(seen).not.toContain('epoch');
          return error;
        });
    };
    expect(await run(3)).toMatchObject({
      code: 'ERR_OUTPUT_EXISTS',
      message: expect.stringContaining(`${file}.epoch2 holds losses`),
    });
    expect(await run(1)).toContain('cut');
  });

  test('a file that can’t be read takes nothing from the run before, however much it is forced', async () => {
    const folder = temporary();
    const config = runOf('SensitivePruneStrategy', 1, options(path.join(folder, 'first.json')));
    await new Compressor(config).run();
    const before = readdirSync(config.compressor.checkpoints.folder);
    const evil = path.join(folder, 'evil.data');
    writeFileSync(evil, Buffer.concat([Buffer.from('\x80\x02cposix\nsystem\nU\x04true\x85R.', 'latin1')]));
    (config.compressor.strategies[0]!.options as { file: string }).file = evil;
    await expect(new Compressor(config, { force: true }).run()).rejects.toMatchObject({
      message: expect.stringMatching(/^own: .*Nothing was executed/s),
    });
    expect(readdirSync(config.compressor.checkpoints.folder)).toEqual(before);
  });

  test('another file of PaddleSlim’s makes it another run', async () => {
    const file = path.join(temporary(), 'sensitivities.data');
    const pickles = JSON.parse(readFileSync(path.join(__dirname, '..', 'sensitivity', 'pickles.json'), 'utf8'));
    const write = (pickle: string) => writeFileSync(file, Buffer.from(pickle, 'base64'));
    write(pickles.old[0]);
    const config = runOf('SensitivePruneStrategy', 2, { ...options(file), startEpoch: 1 });
    expect(await codeOf(config, ({ event }) => event === 'checkpoint')).toBe('ERR_ABORTED');
    write(pickles.numpy[0]);
    await expect(new Compressor(config, { resume: true }).run()).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringMatching(/sensitivities_file was "\w{64}", now it is "\w{64}"/),
    });
  });

  test('what would fail behind epochs of training is refused before them; a run folder may be moved', async () => {
    const folder = temporary();
    const file = path.join(folder, 'sensitivities.json');
    const later = (name: string) => runOf('SensitivePruneStrategy', 2, { ...options(name), startEpoch: 1 });
    writeFileSync(file, '{}');
    for (const [name, code] of [
      [file, 'ERR_BAD_DATA'],
      [path.join(folder, 'nowhere', 'points.json'), 'ERR_IO'],
    ] as const) {
      const seen: string[] = [];
      const run = new Compressor(later(name), { onEvent: ({ event }: CompressionEvent) => seen.push(event) }).run();
      await expect(run).rejects.toMatchObject({ code, message: expect.stringMatching(/^own: /) });
      expect(seen).not.toContain('epoch');
    }
    const config = later(path.join(folder, 'first.json'));
    expect(await codeOf(config, ({ event }) => event === 'checkpoint')).toBe('ERR_ABORTED');
    const moved = structuredClone(config);
    (moved.compressor.strategies[0]!.options as { file: string }).file = path.join(folder, 'second.json');
    const report = await new Compressor(moved, { resume: true }).run();
    expect(report.resumed).not.toBeNull();
    expect(pointsOf(path.join(folder, 'second.json')).complete).toBe(true);
  });

  test('cuts that there was no rest for are missing from the result, and the report says so', async () => {
    const file = path.join(temporary(), 'sensitivities.json');
    const config = runOf('SensitivePruneStrategy', 3, { ...options(file), steps: 3 });
    // Nothing comes to rest at such a rate.
    config.training.rate = 5e-3;
    const report = await new Compressor(config).run();
    expect(report.cuts.length).toBeLessThan(3);
    expect(report.warnings).toContainEqual(
      expect.stringMatching(`^own: mAP held back moved until the end; ${report.cuts.length} of 3 cuts were made`),
    );
  });
});

test('without labels, on any folder of pictures, widths are judged by what the teacher finds on those held back', async () => {
  const annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
  const options = { minRatio: 0.05, maxRatio: 0.15, searchSteps: 1, annealing, seed: 3 };
  const config = runOf('AutoPruneStrategy', 1, options);
  config.training.labels = 'none';
  config.data = { ...config.data, folder: path.join(data, 'JPEGImages'), train: null, evaluation: null };
  const notes: string[] = [];
  const onEvent = (event: CompressionEvent) => event.event === 'note' && notes.push(event.message);
  const report = await new Compressor(config, { onEvent }).run();
  expect(report.data).toMatchObject({ train: null, trained: 42, heldBack: 10, evaluation: null });
  // The cut network is judged once more, as training without labels judges it.
  const best = Number(/best ([\d.]+)$/.exec(notes[0]!)![1]);
  expect(best).toBeGreaterThan(0.1);
  expect(report.heldBack[0]!.map).toBeCloseTo(best, 4);
});

test('a latency is reached as measured here, by a table that is kept with the checkpoints: a resumed run needs no cache', async () => {
  const before = process.env.XDG_CACHE_HOME;
  const make = () => runOf('LatencyPruneStrategy', 1, { target: { share: 0.9 }, threads: 1 });
  /** Ends behind the search, and before any checkpoint. */
  const search = (of: RunConfig) => {
    process.env.XDG_CACHE_HOME = temporary();
    return codeOf(of, ({ event }) => event === 'cut');
  };
  try {
    let config = make();
    let ended = await search(config);
    // A machine may be so busy meanwhile that nothing seems to get faster.
    for (let tries = 1; tries < 4 && ended === 'ERR_TARGET_UNREACHABLE'; tries++) {
      config = make();
      ended = await search(config);
    }
    expect(ended).toBe('ERR_ABORTED');
    const tables = path.join(config.compressor.checkpoints.folder, 'latency');
    const [file] = readdirSync(tables);
    const measured = readFileSync(path.join(tables, file!));
    process.env.XDG_CACHE_HOME = temporary();
    const resume = (tries: number): Promise<RunReport> =>
      new Compressor(config, { resume: true }).run().catch((error) => {
        if (tries === 1 || error.code !== 'ERR_TARGET_UNREACHABLE') throw error;
        return resume(tries - 1);
      });
    const report = await resume(4);
    // Other work may run meanwhile: bench-latency.js says how near it comes.
    expect(report.macs.cut).toBeGreaterThan(0);
    expect(report.macs.cut).toBeLessThan(0.95);
    const { table } = report.cuts[0]!.report.latency!;
    expect(table).toMatchObject({ cached: true, file: path.join(tables, file!) });
    expect(readFileSync(path.join(tables, file!)).equals(measured)).toBe(true);
    expect(readdirSync(process.env.XDG_CACHE_HOME)).toEqual([]);
  } finally {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  }
});

test('without pictures held back nothing can be chosen by them', async () => {
  const annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
  const config = runOf('AutoPruneStrategy', 1, { minRatio: 0.1, maxRatio: 0.3, searchSteps: 1, annealing, seed: 0 });
  config.training.heldBack = 0;
  await expect(new Compressor(config).run()).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('training.held_back'),
  });
});

test('a class of one’s own is named by configurations, with its keys, once it is registered', async () => {
  const folder = temporary();
  const file = path.join(folder, 'run.yaml');
  const { model, data: pictures } = scenesRun(data);
  writeFileSync(
    file,
    `model: {file: ${model.file}}
data: {folder: ${pictures.folder}, evaluation: none}
training: {batch_size: 4, held_back: 0}
output: {model: out.onnx}
strategies: {own: {class: Counting, first_number: 3}}
compressor: {epoch: 1, strategies: [own]}
`,
  );
  await expect(readConfig(file)).rejects.toMatchObject({ code: 'ERR_BAD_CONFIG' });
  const seen: unknown[] = [];
  const make = ({ name, options }: StrategyConfig): Strategy => ({
    name,
    onEpochBegin: ({ epoch }) => void seen.push([name, epoch, options.firstNumber]),
  });
  registerStrategy('Counting', make);
  expect(() => registerStrategy('Counting', make)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  const report = await new Compressor(await readConfig(file)).run();
  expect(seen).toEqual([['own', 0, 3]]);
  expect([report.map, report.metrics, report.macs.cut]).toEqual([null, [], 0]);
});
