import type { Argv } from 'yargs';

/** What a command's file exports: its options for yargs, and what it does. */
export interface CommandModule {
  builder(yargs: Argv): Argv;
  // biome-ignore lint/suspicious/noExplicitAny: yargs gives each command its own argument type
  handler(argv: any): Promise<void>;
}

export interface CommandEntry {
  command: string;
  describe: string;
  load(): Promise<CommandModule>;
}

const load = (file: string) => async () => require(`./${file}`) as CommandModule;

/** Every command with the line that the help shows; files are loaded only when called. */
export const commands: CommandEntry[] = [
  { command: 'demo', describe: 'The whole job on embedded data, in about a minute', load: load('demo') },
  { command: 'params <model>', describe: 'List parameters, and what a pattern selects', load: load('params') },
  { command: 'init <output>', describe: 'Write the built-in MobileNetV1-SSD, untrained', load: load('init') },
  { command: 'prune <model>', describe: 'Cut channels until a share of the work is gone', load: load('prune') },
  { command: 'finetune <model>', describe: 'Train what is left, and write the better weights', load: load('finetune') },
  { command: 'run <config>', describe: 'The whole job of a configuration file, resumable', load: load('run') },
  { command: 'sensitivity <model>', describe: 'What each layer loses as it gets narrower', load: load('sensitivity') },
  { command: 'score <detections>', describe: 'mAP of saved detections, without a model', load: load('score') },
  { command: 'eval <model>', describe: 'Measure mAP on Pascal VOC or COCO data', load: load('eval') },
  { command: 'bench <models..>', describe: 'Latency and throughput of models, side by side', load: load('bench') },
  { command: 'compare <a> <b>', describe: 'Two reports of the same kind, side by side', load: load('compare') },
  { command: 'report <report>', describe: 'A report as one HTML page, with charts', load: load('report') },
  { command: 'doctor', describe: 'What this machine has, and how to repair what is missing', load: load('doctor') },
  { command: 'build', describe: 'Compile the native addon where npm did not', load: load('build') },
  { command: 'detect <model> <pictures..>', describe: 'Boxes on pictures: drawn, or as JSON', load: load('detect') },
  { command: 'scenes <folder>', describe: 'Write labelled pictures to try things on', load: load('scenes') },
];
