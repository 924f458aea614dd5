import { stat } from 'node:fs/promises';
import { type Located, type Path, resolveAt, valuePlace } from './located';
import type { Problems } from './problems';
import type { Sections } from './sections';

/** Checks that what is read is there, and that nothing of it would be written over. */
export async function checkPlaces(sections: Sections, root: Located, problems: Problems): Promise<void> {
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
  if (!output || !model) return;
  const written = resolveAt(root, ['output', 'model'], output.model);
  if (written === resolveAt(root, ['model', 'file'], model.file)) {
    problems.add(valuePlace(root, ['output', 'model']), 'output.model would replace model.file: name another file');
  }
  if (output.report !== null && written === resolveAt(root, ['output', 'report'], output.report)) {
    problems.add(valuePlace(root, ['output', 'report']), 'output.report would replace output.model: name another file');
  }
}

type Kind = 'file' | 'folder' | 'any';

async function faultOf(place: string, kind: Kind): Promise<string | undefined> {
  const stats = await stat(place).catch(() => undefined);
  if (!stats) return 'is not there';
  if (kind === 'file' && stats.isDirectory()) return 'is a folder, not a file';
  return kind === 'folder' && !stats.isDirectory() ? 'is no folder' : undefined;
}
