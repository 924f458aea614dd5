import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isCheckpointFile, names } from '../compress/checkpoint-names';
import { entryOf, identity, realPlace } from '../files';
import { type Located, type Path, resolveAt, valuePlace } from './located';
import { lossesFiles } from './losses-file';
import type { Problems } from './problems';
import type { Sections } from './sections';

/**
 * Checks that what is read is there, and that nothing of it would be written over.
 * @param files the configuration's own
 */
export async function checkPlaces(
  sections: Sections,
  root: Located,
  files: readonly string[],
  problems: Problems,
): Promise<void> {
  const { model, data, training, calibration, compressor, output } = sections;
  const checks: [at: Path, name: string | null | undefined, kind: Kind][] = [
    [['model', 'file'], model?.file, 'file'],
    [['model', 'detector'], model?.detector, 'file'],
    [['model', 'teacher'], model?.teacher === 'unpruned' ? undefined : model?.teacher, 'file'],
    [['data', 'folder'], data?.folder, training?.labels === 'none' ? 'any' : 'folder'],
    [['calibration', 'pictures'], calibration?.pictures, 'any'],
    [[compressor?.name ?? '', 'init_model'], compressor?.init_model, 'file'],
  ];
  for (const [at, name, kind] of checks) {
    if (typeof name !== 'string') continue;
    const place = resolveAt(root, at, name);
    const fault = await faultOf(place, kind);
    if (fault !== undefined) problems.add(valuePlace(root, at), `${at.join('.')}: ${place} ${fault}`);
  }
  if (data) await checkSplits(data, root, problems);
  if (output) await checkOutputs(output, sections, root, files, problems);
}

/** Splits of a VOC folder are files; what other layouts have is found out when their annotations are read. */
async function checkSplits(data: NonNullable<Sections['data']>, root: Located, problems: Problems): Promise<void> {
  const folder = resolveAt(root, ['data', 'folder'], data.folder);
  const { listVocSplits, vocSplitFile } = require('../data/voc') as typeof import('../data/voc');
  const there = await listVocSplits(folder);
  if (!there) return;
  for (const key of ['train', 'evaluation'] as const) {
    const split = data[key];
    if (typeof split !== 'string' || (await faultOf(vocSplitFile(folder, split), 'file')) === undefined) continue;
    const known = there.length === 0 ? 'there is none' : `there are ${there.slice(0, 20).join(', ')}`;
    problems.add(valuePlace(root, ['data', key]), `data.${key}: ${folder} has no split ${split}; ${known}`);
  }
}

const written = ['model', 'report', 'page', 'log', 'tensorboard'] as const;

/** Each output has a place of its own, in a folder that is there or that the run makes. */
async function checkOutputs(
  output: NonNullable<Sections['output']>,
  sections: Sections,
  root: Located,
  files: readonly string[],
  problems: Problems,
): Promise<void> {
  const run = await checkCheckpoints(sections, root, problems);
  const taken = await placesRead(sections, root, files);
  for (const key of written) {
    const name = output[key];
    if (typeof name !== 'string') continue;
    const place = resolveAt(root, ['output', key], name);
    const at = valuePlace(root, ['output', key]);
    const own = (await identity(place)) ?? place;
    const other = taken.get(own);
    if (other !== undefined) {
      problems.add(at, `output.${key} would replace ${other}: name another file`);
      continue;
    }
    taken.set(own, `output.${key}`);
    if (run !== undefined && isCheckpointFile(await entryOf(run, place))) {
      problems.add(at, `output.${key}: ${place} is a place of the run's own in checkpoint_path: name another one`);
      continue;
    }
    const folder = path.dirname(place);
    const fault = key === 'tensorboard' ? await folderFault(place) : await outputFault(place);
    if (fault !== undefined) problems.add(at, `output.${key}: ${fault}`);
    // TensorBoard's folder is made, and that of the checkpoints.
    if (key === 'tensorboard' || (await realPlace(folder)) === run) continue;
    const missing = await faultOf(folder, 'folder');
    if (missing !== undefined) problems.add(at, `output.${key}: its folder ${folder} ${missing}`);
  }
}

/**
 * The run's own folder can be made, and nothing that it is begun with lies in what it removes.
 * @returns the folder, links followed
 */
async function checkCheckpoints(
  { compressor }: Sections,
  root: Located,
  problems: Problems,
): Promise<string | undefined> {
  if (!compressor) return undefined;
  const at = [compressor.name, 'checkpoint_path'];
  const folder = resolveAt(root, at, compressor.checkpoint_path);
  const fault = await folderFault(folder);
  if (fault !== undefined) problems.add(valuePlace(root, at), `${at.join('.')}: ${fault}`);
  const run = await realPlace(folder);
  const begin = [compressor.name, 'init_model'];
  const { init_model: name } = compressor;
  if (name !== undefined && names.test(await entryOf(run, resolveAt(root, begin, name)))) {
    problems.add(
      valuePlace(root, begin),
      `${begin.join('.')} lies in a checkpoint of ${at.join('.')}, which this run would remove: copy it to another place`,
    );
  }
  return run;
}

/** Why no folder can be made at a place, or is there. */
async function folderFault(place: string): Promise<string | undefined> {
  const stats = await stat(place).catch(() => undefined);
  if (stats) return stats.isDirectory() ? undefined : `${place} is no folder`;
  return path.dirname(place) === place ? undefined : folderFault(path.dirname(place));
}

/** Why what is at a place can't be replaced by a file. */
async function outputFault(place: string): Promise<string | undefined> {
  const stats = await stat(place).catch(() => undefined);
  if (!stats || stats.isFile()) return undefined;
  return `${place} is ${stats.isDirectory() ? 'a folder, not a file' : 'no regular file'}`;
}

/** What a run reads besides pictures, by device and inode where it is there: links lead to the same file. */
async function placesRead(
  { model, calibration, compressor, strategies }: Sections,
  root: Located,
  files: readonly string[],
): Promise<Map<string, string>> {
  const run = compressor?.name ?? '';
  const named: [at: Path, name: string | null | undefined][] = [
    [['model', 'file'], model?.file],
    [['model', 'detector'], model?.detector],
    [['model', 'teacher'], model?.teacher === 'unpruned' ? null : model?.teacher],
    [['calibration', 'pictures'], calibration?.pictures],
    [[run, 'init_model'], compressor?.init_model],
  ];
  const read = files.map((file): [place: string, what: string] => [file, 'the configuration']);
  for (const [at, name] of named) {
    if (typeof name !== 'string') continue;
    const place = resolveAt(root, at, name);
    // Beside pictures in a folder there is room.
    if ((await faultOf(place, 'folder')) !== undefined) read.push([place, at.join('.')]);
  }
  for (const name of compressor?.strategies ?? []) {
    const strategy = strategies.get(name);
    for (const place of strategy ? lossesFiles(strategy) : []) read.push([place, `sensitivities_file of ${name}`]);
  }
  const found = new Map<string, string>();
  for (const [place, what] of read.reverse()) found.set((await identity(place)) ?? place, what);
  return found;
}

type Kind = 'file' | 'folder' | 'any';

async function faultOf(place: string, kind: Kind): Promise<string | undefined> {
  const stats = await stat(place).catch(() => undefined);
  if (!stats) return 'is not there';
  if (kind === 'file' && stats.isDirectory()) return 'is a folder, not a file';
  return kind === 'folder' && !stats.isDirectory() ? 'is no folder' : undefined;
}
