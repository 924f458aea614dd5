import type { Argv } from 'yargs';
import { makeUi } from './ui';

interface ScenesArguments {
  folder: string;
  split: string;
  count: number;
  seed: number;
  force: boolean;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('folder', { type: 'string', demandOption: true, describe: 'Pascal VOC folder to write, or to add to' })
    .options({
      split: { type: 'string', default: 'train', describe: 'Split to write; no scene is in two splits' },
      count: { type: 'number', default: 200, describe: 'Number of scenes' },
      seed: { type: 'number', default: 0, describe: 'Seed; the same one gives the same scenes' },
      force: { type: 'boolean', default: false, describe: 'Replace the split where it exists' },
    })
    .example('$0 scenes shapes --count 1000', 'shapes/ with 1000 labelled pictures in its split train')
    .example('$0 scenes shapes --split val --count 200', '200 others in the split val');
}

export async function handler(args: ScenesArguments): Promise<void> {
  const ui = makeUi(args);
  const { writeScenes } = require('../scenes/voc-folder') as typeof import('../scenes/voc-folder');
  const { sceneClasses } = require('../scenes/shapes') as typeof import('../scenes/shapes');
  const { folder, split, count, seed, force } = args;
  const progress = ui.progress('scenes', count);
  try {
    await writeScenes(folder, { split, count, seed, force, onProgress: (done) => progress.update(done) });
  } finally {
    progress.stop();
  }
  const classes = sceneClasses.slice(1);
  ui.result(
    { schema: 'ssd-prune.scenes/1', folder, split, count, seed, classes },
    () => `${folder}: ${count} scenes in the split ${split}, seed ${seed}; classes: ${classes.join(', ')}`,
  );
}
