// Prunes a detector in a Node pipeline and times it before and after.
//   node prune.mjs ssd.onnx small.onnx 'conv2d_[1-9].w_0' 0.2
import { benchModels, pruneFile, renderBenchReport, SsdPruneError } from 'ssd-prune';

const [model, output, prunedParams, target = '0.2'] = process.argv.slice(2);
if (prunedParams === undefined) {
  console.error('usage: node prune.mjs MODEL OUTPUT PATTERN [TARGET]');
  process.exit(2);
}

// Ctrl-C ends the work between two steps instead of in the middle of one.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const report = await pruneFile(model, output, {
    prunedParams,
    targetRatio: Number(target),
    signal: stop.signal,
    onStage: (stage) => console.error(`${stage} …`),
  });
  const { before, after, cut } = report.macs;
  console.log(`${before} multiplications before, ${after} after: ${(100 * cut).toFixed(1)} % less`);
  console.log(
    renderBenchReport(await benchModels([model, output], { batchSizes: [1], runs: 20, signal: stop.signal })),
  );
} catch (error) {
  if (!(error instanceof SsdPruneError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.exitCode;
}
