// What a cut costs a model on noise: for models that nobody has pictures for. Nothing here runs by itself.
const path = require('node:path');

const lib = (name) => require(path.join(__dirname, '..', 'dist', 'lib', name));
const { normalNoise } = lib('prune/noise');
const { Pruner } = lib('prune/prune');
const { exposeTensors } = lib('prune/observed-tensors');
const { DetectorSession } = lib('evaluate/session');
const { encodeModel } = lib('model/write');

/** Pictures of noise that outputs are compared on; calibration draws others. */
const heldBack = 4;

/**
 * Noise for a model's pictures.
 * @param count pictures to calibrate on
 * @returns the model as it was read, with its sizes; pictures to calibrate on; and `errorOf(cut)`: how far a cut model's
 * outputs are from the model's on other noise, as a share of their variance
 */
async function noiseFor(read, count) {
  const { infos, model } = new Pruner(read).graph;
  const names = model.graph.output.map(({ name }) => name);
  const input = model.graph.input.find(({ name }) => !model.constant(name)).name;
  const dims = [1, ...infos.get(input).shape.slice(1)];
  const size = dims.reduce((a, b) => a * b, 1);
  // Drawn once: calibration asks for a picture as often as it runs it. What is fed is given back, so it gets a copy.
  const drawn = new Map();
  const feeds = (seed) => {
    const data = drawn.get(seed) ?? normalNoise(seed, 'bench', size);
    drawn.set(seed, data);
    return { [input]: { dims, data: data.slice() } };
  };
  const outputs = async (which) => {
    const copy = which.clone();
    exposeTensors(copy, names);
    const session = await DetectorSession.create(encodeModel(copy));
    const found = [];
    for (let i = 0; i < heldBack; i++) found.push(await session.run(feeds(9999 + i), names));
    await session.close();
    return names.map((name) => found.map((outs) => outs[name].data));
  };
  const whole = await outputs(model);
  const errorOf = async (cut) => {
    const own = await outputs(cut);
    let [error, power] = [0, 0];
    whole.forEach((runs, i) => {
      const values = runs.reduce((sum, run) => sum + run.length, 0);
      const middle = runs.reduce((sum, run) => run.reduce((a, b) => a + b, sum), 0) / values;
      runs.forEach((run, k) => {
        run.forEach((value, j) => {
          error += (value - own[i][k][j]) ** 2;
          power += (value - middle) ** 2;
        });
      });
    });
    return error / power;
  };
  return { model, source: { count, feeds: async (first) => feeds(first + 1) }, errorOf };
}

module.exports = { noiseFor };
