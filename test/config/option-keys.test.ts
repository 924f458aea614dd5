import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { errorInKeys, inKeys } from '../../lib/config/option-keys';
import { SsdPruneError } from '../../lib/errors';
import { temporary } from '../data/folders';

const lib = path.resolve(__dirname, '..', '..', 'lib');

/** Sources whose messages no run shows. */
const elsewhere =
  /^(cli|demo|doctor|scenes)\/|^(machine|data\/images|train\/finetune-\w+|report\/(compare|read-report|page\/(style|line-chart)))\.ts$/;

/** Options of `run` itself, of other programs, and what messages name as a command of its own. */
const own = ['--force', '--resume', '--set', '--data', '--json'];

/** Options that are said where a run doesn't come: it draws no curves, has no order, no shapes, and times as `bench` does. */
const out = ['--plot', '--limit', '--images', '--order', '--ranking', '--input-shape', '--batch-sizes'];

test('no message that can come up in a run names an option that run does not have', () => {
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).map((file) => file.split(path.sep).join('/'));
  const left: string[] = [];
  for (const file of files.filter((name) => name.endsWith('.ts') && !elsewhere.test(name))) {
    if (file === 'config/option-keys.ts') continue;
    const lines = readFileSync(path.join(lib, file), 'utf8').split('\n');
    for (const [i, line] of lines.entries()) {
      if (/^\s*(\/?\*|\/\/)/.test(line)) continue;
      const options = inKeys(line).match(/(?<![\w-])--[a-z][\w-]*/g) ?? [];
      for (const option of options) if (![...own, ...out].includes(option)) left.push(`${file}:${i + 1} ${option}`);
    }
  }
  expect(left).toEqual([]);
});

test('a setting has its key, and what run itself has stays as it is', () => {
  const cases = [
    ['lower --target-ratio, --align or --min-channels.', 'lower target_ratio, align or min_channels.'],
    ['mend them, or leave them out by --skip-bad', 'mend them, or leave them out by data.skip_bad: true'],
    ['Try a smaller --batch-size, or --device cpu.', 'Try a smaller evaluation.batch_size, or device.evaluation: cpu.'],
    ['(metadata "x"): give them by --detector FILE', '(metadata "x"): give them by model.detector'],
    ['go on with --resume, or start over with --force', 'go on with --resume, or start over with --force'],
    ['--batch-sizes stays', '--batch-sizes stays'],
  ] as const;
  for (const [message, expected] of cases) expect(inKeys(message)).toBe(expected);
  const given = new SsdPruneError('ERR_USAGE', 'add --skip-locked');
  const error = errorInKeys(given) as SsdPruneError;
  expect([error.code, error.message, error.cause]).toEqual(['ERR_USAGE', 'add skip_locked: true', given]);
});

test('a run says keys: what can’t be cut, widths that there are not, broken annotations', async () => {
  const dist = (name: string) => require(`../../dist/lib/${name}`);
  const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');
  const { rehearseConfig } = dist('compress/rehearsal') as typeof import('../../lib/compress/rehearsal');
  const { writeScenes } = dist('scenes/voc-folder') as typeof import('../../lib/scenes/voc-folder');
  const { scenesRun } = require('../compress/scenes-run') as typeof import('../compress/scenes-run');
  const data = path.join(temporary(), 'scenes');
  await writeScenes(data, { split: 'train', count: 2 });
  const config = scenesRun(data);
  const [first] = config.compressor.strategies;
  const checked = (options: object) => {
    const strategies = [{ ...first!, options: { ...first!.options, ...options } }];
    return rehearseConfig({ ...config, compressor: { ...config.compressor, strategies } }, () => {});
  };
  await expect(checked({ prunedParams: '.*w_0' })).rejects.toMatchObject({
    code: 'ERR_LOCKED_CHANNELS',
    message: expect.stringContaining('or add skip_locked: true.'),
  });
  await expect(checked({ tolerance: 0, align: 16 })).rejects.toMatchObject({
    code: 'ERR_TARGET_UNREACHABLE',
    message: expect.stringMatching(/ask for one of these, or lower align\.$/),
  });
  const annotations = path.join(data, 'Annotations');
  writeFileSync(path.join(annotations, readdirSync(annotations)[0]!), '<annotation>');
  await expect(new Compressor(config).run()).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringContaining('leave them out by data.skip_bad: true'),
  });
});
