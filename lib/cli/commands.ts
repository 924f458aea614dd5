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
  { command: 'params <model>', describe: 'List parameters, and what a pattern selects', load: load('params') },
  { command: 'init <output>', describe: 'Write the built-in MobileNetV1-SSD, untrained', load: load('init') },
  { command: 'prune <model>', describe: 'Cut channels until a share of the work is gone', load: load('prune') },
  { command: 'score <detections>', describe: 'mAP of saved detections, without a model', load: load('score') },
  { command: 'eval <model>', describe: 'Measure mAP on Pascal VOC or COCO data', load: load('eval') },
  { command: 'detect <model> <pictures..>', describe: 'Boxes on pictures: drawn, or as JSON', load: load('detect') },
];
