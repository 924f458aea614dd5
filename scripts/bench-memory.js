// Memory and time of reading, cutting and writing: how much the peak grows for each byte of the model.
//   node scripts/bench-memory.js            230 MB against 4 MB
//   node scripts/bench-memory.js --small    24 MB against 1 MB, for CI: too little to tell the slope from the noise
// Each model is handled by a process of its own, which reports its peak resident memory. Exits 1 over twice the bytes,
// except with --small.
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const ownPeak = require('./own-peak');

const limit = 2;
const dist = path.join(__dirname, '..', 'dist', 'lib');

/** A chain of 1x1 convolutions of `channels` channels, about `bytes` long. */
async function makeModel(file, bytes) {
  const { GraphWriter } = require(path.join(dist, 'model', 'graph-writer.js'));
  const { OnnxModel } = require(path.join(dist, 'model', 'onnx-model.js'));
  const { ModelProtoSchema } = require(path.join(dist, 'model', 'onnx_pb.js'));
  const { writeModel } = require(path.join(dist, 'model', 'write.js'));
  const { create } = require('@bufbuild/protobuf');
  const layers = 24;
  const channels = Math.round(Math.sqrt(bytes / 4 / layers) / 8) * 8;
  const writer = new GraphWriter('chain');
  let tensor = writer.input('x', [1, channels, 2, 2]);
  for (let i = 0; i < layers; i++) {
    const values = new Float32Array(channels * channels);
    for (let j = 0; j < values.length; j++) values[j] = ((j * 2654435761 + i) % 1000) / 1000 - 0.5;
    const filter = writer.weights(`conv_${i}.w`, [channels, channels, 1, 1], values);
    const output = i === layers - 1 ? 'y' : `conv_${i}.out`;
    tensor = writer.node('Conv', `conv_${i}`, [tensor, filter], { kernel_shape: [1, 1] }, output);
  }
  writer.output('y', [1, channels, 2, 2]);
  const proto = create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ version: 17n }], graph: writer.graph });
  await writeModel(new OnnxModel(proto), file);
}

/** In the child: prunes a fifth of the work as `ssd-prune prune --no-verify` does. */
async function prune(input, output) {
  const { pruneFile } = require(path.join(dist, 'prune', 'prune-file.js'));
  const prunedParams = Array.from({ length: 23 }, (_, i) => `conv_${i}.w`).join('|');
  const { seconds } = await pruneFile(input, output, { prunedParams, targetRatio: 0.2, verify: false });
  console.log(JSON.stringify({ peak: ownPeak(), seconds }));
}

async function main() {
  if (process.argv[2] === '--child') return prune(process.argv[3], process.argv[4]);
  const small = process.argv.includes('--small');
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-memory-'));
  try {
    const results = [];
    for (const bytes of small ? [1e6, 24e6] : [4e6, 230e6]) {
      const input = path.join(folder, `${bytes}.onnx`);
      const output = path.join(folder, `${bytes}-cut.onnx`);
      await makeModel(input, bytes);
      const { status, stdout, stderr } = spawnSync(process.execPath, [__filename, '--child', input, output], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(stderr);
      const { size } = require('node:fs').statSync(input);
      const { peak, seconds } = JSON.parse(stdout);
      results.push({ size, peak });
      console.log(
        `${(size / 1e6).toFixed(1)} MB: peak ${(peak / 1e6).toFixed(0)} MB, ${(seconds * 1000).toFixed(0)} ms`,
      );
    }
    const [first, last] = results;
    const slope = (last.peak - first.peak) / (last.size - first.size);
    console.log(`the peak grows by ${slope.toFixed(2)} bytes for each byte of the model (limit ${limit})`);
    if (slope > limit && !small) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

main();
