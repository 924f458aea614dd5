import type { Argv } from 'yargs';
import type { SsdPruneError } from '../errors';
import type { DetectedPicture } from '../evaluate/detect';
import { type NmsArguments, nmsOptions, nmsOverrides } from './nms-options';
import { type RunArguments, runOptions } from './run-options';
import { makeUi } from './ui';

interface DetectArguments extends NmsArguments, RunArguments {
  model: string;
  pictures: string[];
  output?: string;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'ONNX file' })
    .positional('pictures', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'Picture files, or folders of them',
    })
    .options({
      output: { type: 'string', alias: 'o', describe: 'Folder for copies with the boxes drawn' },
      ...runOptions,
      ...nmsOptions,
      'score-threshold': { ...nmsOptions['score-threshold'], default: 0.3, describe: 'Only boxes that score more' },
      'skip-bad': { type: 'boolean', default: false, describe: 'Pass over pictures that cannot be read' },
    })
    .example('$0 detect ssd.onnx street.jpg -o drawn', 'draw boxes on drawn/street.jpg')
    .example('$0 detect ssd.onnx holiday/ --score-threshold 0.5 --json', 'boxes of all pictures of a folder, as JSON');
}

export async function handler(args: DetectArguments): Promise<void> {
  const ui = makeUi(args);
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { readDetectorSettings } = require('../model/detector') as typeof import('../model/detector');
  const { detectFiles, listPictures } = require('../evaluate/detect') as typeof import('../evaluate/detect');
  const { drawDetections, drawnFiles } = require('../evaluate/draw') as typeof import('../evaluate/draw');

  const nms = nmsOverrides(args);
  const detector = readDetectorSettings(await readModel(args.model), args.detector);
  const files = await listPictures(args.pictures);
  const { output } = args;
  if (output !== undefined) {
    const { makeFolder } = require('../files') as typeof import('../files');
    await makeFolder(output);
  }
  const drawn =
    output === undefined ? undefined : new Map((await drawnFiles(files, output)).map((to, i) => [files[i]!, to]));

  const pictures: (DetectedPicture & { output?: string })[] = [];
  const progress = ui.progress('pictures', files.length);
  let device: string | null = null;
  let note: string | undefined;
  const options = {
    device: args.device,
    threads: args.threads,
    ...(args.batchSize !== undefined && { batchSize: args.batchSize }),
    nms,
    onDevice: (chosen: string, why: string | undefined) => {
      device = chosen;
      note = why;
    },
    ...(args.skipBad && { onBadPicture: (error: SsdPruneError) => ui.warn(`${error.message}; skipped`) }),
  };
  try {
    for await (const picture of detectFiles(args.model, detector, files, options)) {
      const to = drawn?.get(picture.file);
      if (to !== undefined) await drawDetections(picture, to);
      pictures.push(to === undefined ? picture : { ...picture, output: to });
      progress.update(pictures.length);
    }
  } finally {
    progress.stop();
  }
  if (note) ui.note(note);
  const scoreThreshold = args.scoreThreshold ?? 0;
  const report = { schema: 'ssd-prune.detect/1', model: args.model, device, scoreThreshold, pictures };
  ui.result(report, () => pictures.map(renderPicture).join('\n'));
}

/** A picture's line and a line a box below it. */
function renderPicture({ file, width, height, detections, output }: DetectedPicture & { output?: string }): string {
  const boxes = detections.map(
    ({ class: name, score, box }) =>
      `  ${name} ${score.toFixed(3)}  (${box.map((side) => side.toFixed(1)).join(', ')})`,
  );
  const found = `${file} (${width}x${height}): ${boxes.length} ${boxes.length === 1 ? 'box' : 'boxes'}`;
  return [output === undefined ? found : `${found}, drawn on ${output}`, ...boxes].join('\n');
}
