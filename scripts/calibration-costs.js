// What calibration costs beside running the model: for bench-calibrate.js, which prints it. As a process of its own
// (`node scripts/calibration-costs.js load|calibrate OPTIONS`, OPTIONS a JSON document) it prints its peak memory.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const lib = (name) => require(path.join(__dirname, '..', 'dist', 'lib', name));
const { readModel } = lib('model/read');
const { calibrate } = lib('calibrate/calibrate');
const { noiseFor } = require('./noise-error');
const ownPeak = require('./own-peak');

/** Rounds of both kinds, taking turns: the least of each is what nothing disturbed. */
const rounds = 5;
/** Pictures a round, as many as error curves are measured on. */
const pictures = 64;
/** Places a picture that become samples: of 256 pictures these are the usual 16,384. */
const places = 64;

/**
 * How fast activations of a model's selected layers come, samples taken, beside sessions that run the same nodes with as
 * many threads: a bare one, and one that gives what is sampled. On noise, so that no picture is decoded.
 * @returns milliseconds a picture, the least of each: `{ sampled, bare, giving }`
 */
async function activationTimes(model, given) {
  const { Student } = lib('calibrate/student');
  const { StageSamples, sampledOf } = lib('calibrate/stage-samples');
  const { groupStages } = lib('calibrate/stages');
  const { DetectorSession } = lib('evaluate/session');
  const { encodeModel } = lib('model/write');
  // One picture again and again: what is timed is no drawing of noise.
  const one = (await noiseFor(model, 1)).source;
  const source = { count: pictures, feeds: () => one.feeds(0) };
  const noise = await one.feeds(0);
  const student = new Student(model, given);
  const { pruner, original, selection, readers } = student;
  const stages = groupStages(pruner.graph, selection.groups, readers).filter((stage) => stage.readers.length > 0);
  const open = (segment) => DetectorSession.create(encodeModel(segment), { threads: 0 });
  const [bare, giving] = [await open(through(original, stages, false)), await open(through(original, stages, true))];
  const least = {};
  const timed = async (which, work) => {
    const started = performance.now();
    await work();
    least[which] = Math.min(least[which] ?? Number.POSITIVE_INFINITY, (performance.now() - started) / pictures);
  };
  await StageSamples.use(student, { source, positions: places }, async (samples) => {
    const activations = samples.activations('times', source);
    const sampled = async () => {
      for (const [i, stage] of stages.entries()) {
        const models = { teacher: original, student: original };
        await activations.sample(stage.readers.map(sampledOf), models, samples.moves(stage, stages.slice(i + 1)));
      }
      await activations.restart();
    };
    for (let round = 0; round < rounds; round++) {
      await timed('sampled', sampled);
      await timed('bare', () => bare.time(noise, { runs: pictures }));
      await timed('giving', () => giving.time(noise, { runs: pictures }));
    }
  });
  await Promise.all([bare.close(), giving.close()]);
  return least;
}

/** The nodes that the stages' readers depend on, giving what the readers read and make, or only what nothing else reads. */
function through(model, stages, all) {
  const { cutSegment } = lib('calibrate/segment');
  const own = stages.flatMap((stage) => stage.readers);
  const made = [...new Set(own.map(({ output }) => output))];
  const { node } = cutSegment(model, 0, made).model.graph;
  const read = new Set(node.flatMap(({ input }) => input));
  const names = all ? [...made, ...own.map(({ input }) => input)] : made.filter((name) => !read.has(name));
  return cutSegment(model, 0, [...new Set(names)]).model;
}

/**
 * Peak resident memory of a calibrated cut, threads included, above that of a process that only reads the model, in bytes.
 * @param options `file`, `prunedParams`, `targetRatio`, and `pictures` with `split`, `images` and `detector`, else noise
 */
function peakMemory(options) {
  const peakOf = (what) => {
    const args = [__filename, what, JSON.stringify(options)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout).peak;
  };
  return peakOf('calibrate') - peakOf('load');
}

/** In the process of its own. */
async function measured(what, { file, prunedParams, targetRatio, pictures, ...calibration }) {
  const given = { prunedParams, targetRatio, skipLocked: true };
  const model = await readModel(file);
  if (what === 'calibrate' && pictures) {
    const { calibrateWithPictures } = lib('calibrate/calibrate-file');
    await calibrateWithPictures(model, given, { pictures, ...calibration });
  } else if (what === 'calibrate') {
    const { source } = await noiseFor(model, calibration.images);
    await calibrate(model, { ...given, align: 1, criterion: 'obs', allocation: 'error' }, { source });
  }
  console.log(JSON.stringify({ peak: ownPeak() }));
}

module.exports = { activationTimes, peakMemory };
if (require.main === module) measured(process.argv[2], JSON.parse(process.argv[3]));
