import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CompressionEvent } from '../../lib/compress/events';
import { temporary } from '../data/folders';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { TensorBoardLog } = dist('report/tensorboard') as typeof import('../../lib/report/tensorboard');
const { crc32c, frameRecord } = dist('report/tf-record') as typeof import('../../lib/report/tf-record');

const report = { macs: { after: 1146240000 }, parameters: { after: 6837056 } };
/** Those of event_files.py. */
const events = [
  { event: 'warning', message: 'said before the run begins' },
  { event: 'begin', epochs: 1, resumed: null },
  { event: 'metric', stage: 'start', epoch: 0, step: 0, map: 0.75, meanOver20: 0.5, seconds: 1 },
  { event: 'cut', strategy: 'first', epoch: 0, report },
  { event: 'epoch', epoch: 0, epochs: 1 },
  {
    ...{ event: 'step', step: 1, steps: 1, epoch: 1, rate: 0.0005, gradientNorm: 3.75, imagesPerSecond: 41.5 },
    ...{
      secondsLeft: 0,
      loss: { total: 8.75, classes: 5.25, boxes: 2.25, teacherClasses: 1, teacherBoxes: 0, teacherFeatures: 0.25 },
    },
  },
  { event: 'evaluation', step: 1, epoch: 1, map: 0.625, best: true, seconds: 1 },
  { event: 'metric', stage: 'epoch', epoch: 1, step: 1, map: 0, meanOver20: null, seconds: 1 },
  { event: 'checkpoint', place: 'checkpoints/000001-epoch-1-step-1' },
] as unknown as CompressionEvent[];

const filesIn = (folder: string): string[] => readdirSync(folder).sort();

beforeEach(() => {
  jest.spyOn(Date, 'now').mockReturnValue(1_700_000_000_250);
});
afterEach(() => jest.restoreAllMocks());

async function write(folder: string, told: readonly CompressionEvent[], options = {}): Promise<void> {
  const log = await TensorBoardLog.open(folder, options);
  for (const event of told) log.event(event);
  await log.close();
}

test('event files are byte by byte those of TensorBoard’s own writer', async () => {
  const folder = path.join(temporary(), 'curves');
  await write(folder, events);
  expect(filesIn(folder)).toEqual(['events.out.tfevents.1700000000.ssd-prune.0000']);
  const written = readFileSync(path.join(folder, filesIn(folder)[0]!));
  expect(written.equals(readFileSync(path.join(__dirname, 'tensorboard.tfevents')))).toBe(true);
});

test('CRC-32C and its mask', () => {
  // RFC 3720, B.4.
  expect(crc32c(new Uint8Array(32)).toString(16)).toBe('8a9136aa');
  expect(crc32c(new Uint8Array(32).fill(255)).toString(16)).toBe('62a8ab43');
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)).toString(16)).toBe('46dd794e');
  expect(frameRecord(new Uint8Array(0)).length).toBe(16);
});

test('a run that goes on says in a file of its own which steps count no more', async () => {
  const folder = temporary();
  await write(folder, events);
  const [, , , , , step] = events as [...CompressionEvent[]];
  const from = 'checkpoints/000001-epoch-1-step-1';
  const again = [
    ...[
      { event: 'warning', message: 'again' },
      { event: 'begin', epochs: 2, resumed: from },
    ],
    ...[
      { event: 'epoch', epoch: 0, epochs: 2 },
      { ...step, step: 8, steps: 9 },
    ],
  ] as CompressionEvent[];
  await write(folder, again, { resume: true });
  expect(filesIn(folder)).toHaveLength(2);
  const bytes = readFileSync(path.join(folder, filesIn(folder)[1]!));
  // The record behind the version's: of step 8 (field 2), a session log (field 7) that holds START (field 1).
  const second = bytes.subarray(16 + Number(bytes.readBigUInt64LE(0)));
  const event = second.subarray(12, 12 + Number(second.readBigUInt64LE(0)));
  expect(event.subarray(9).toString('hex')).toBe('10083a020801');
});

test('curves of another run are not added to unasked, and a file is no folder', async () => {
  const folder = temporary();
  await write(folder, events);
  await expect(TensorBoardLog.open(folder)).rejects.toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
  await expect(TensorBoardLog.open(folder, { force: true })).resolves.toBeDefined();
  const file = path.join(temporary(), 'file');
  writeFileSync(file, '');
  await expect(TensorBoardLog.open(file)).rejects.toMatchObject({ code: 'ERR_IO' });
});
