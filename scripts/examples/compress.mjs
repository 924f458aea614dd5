// Runs a configuration in a Node pipeline, with a strategy of one's own that writes a line of the network's worth an epoch.
//   node compress.mjs compress.yaml [--resume]
import { Compressor, readConfig, SsdPruneError } from 'ssd-prune';

const [file, resume] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node compress.mjs CONFIG [--resume]');
  process.exit(2);
}

// Ctrl-C leaves a checkpoint that --resume goes on from.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

/** What a strategy saves is in every checkpoint: after an interruption it knows what it had seen. */
const diary = {
  name: 'diary',
  lines: [],
  onEpochEnd({ epoch, metrics }) {
    this.lines.push(`epoch ${epoch + 1}: mAP ${metrics.at(-1)?.map.toFixed(4) ?? 'not measured'}`);
  },
  onCompressionEnd() {
    console.log(this.lines.join('\n'));
  },
  save() {
    return this.lines;
  },
  restore(lines) {
    this.lines = lines;
  },
};

try {
  const report = await new Compressor(await readConfig(file), {
    resume: resume === '--resume',
    strategies: [diary],
    signal: stop.signal,
    onEvent(event) {
      if (event.event === 'cut') console.error(`${event.strategy}: ${(100 * event.report.macs.cut).toFixed(1)} % cut`);
      if (event.event === 'step' && event.step % 100 === 0) console.error(`step ${event.step} of ${event.steps}`);
    },
  }).run();
  console.log(`${report.output}: ${(100 * report.macs.cut).toFixed(1)} % less work, mAP ${report.map?.toFixed(4)}`);
} catch (error) {
  if (!(error instanceof SsdPruneError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.exitCode;
}
