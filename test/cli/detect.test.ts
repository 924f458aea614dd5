import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { temporary } from '../data/folders';
import { errorOf, events, run } from './command';
import { detectorModel } from './detector-model';

let model: string;
let folder: string;

const grey = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#777' } });

beforeAll(async () => {
  model = detectorModel();
  folder = temporary();
  await grey(160, 100).jpeg().toFile(path.join(folder, 'wide.jpg'));
  // Stored lying, to be turned by a quarter: upright it is 60 wide and 120 high.
  await grey(120, 60).withMetadata({ orientation: 6 }).jpeg().toFile(path.join(folder, 'turned.jpg'));
  await grey(50, 50).png().toFile(path.join(folder, 'zoo.PNG'));
  writeFileSync(path.join(folder, 'notes.txt'), 'no picture');
});

const detect = (...args: string[]) => run(['detect', model, ...args, '--device', 'cpu', '--json']);
// An untrained network is sure of nothing: of 21 classes each gets about a twentieth.
const low = ['--score-threshold', '0.01', '--keep-top-k', '5'];

describe('detect', () => {
  test('--json: one document, pictures of a folder by name, boxes in pixels of the upright picture', async () => {
    const ended = await detect(folder, ...low);
    expect(ended.status).toBe(0);
    const report = JSON.parse(ended.stdout);
    expect(Object.keys(report)).toEqual(['schema', 'model', 'device', 'scoreThreshold', 'pictures']);
    expect(report).toMatchObject({ schema: 'ssd-prune.detect/1', model, device: 'cpu', scoreThreshold: 0.01 });
    const shown = report.pictures.map((p: { file: string; width: number; height: number }) => [
      p.file,
      p.width,
      p.height,
    ]);
    expect(shown).toEqual([
      [path.join(folder, 'turned.jpg'), 60, 120],
      [path.join(folder, 'wide.jpg'), 160, 100],
      [path.join(folder, 'zoo.PNG'), 50, 50],
    ]);
    for (const { width, height, detections } of report.pictures) {
      expect(detections.length).toBeGreaterThan(0);
      expect(detections.length).toBeLessThanOrEqual(5);
      const scores = detections.map(({ score }: { score: number }) => score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      for (const { class: name, score, box } of detections) {
        expect([typeof name, score > 0.01, box.length]).toEqual(['string', true, 4]);
        const [xmin, ymin, xmax, ymax] = box;
        expect(0 <= xmin && xmin <= xmax && xmax <= width && 0 <= ymin && ymin <= ymax && ymax <= height).toBe(true);
      }
    }
    expect(
      events(ended)
        .filter(({ event }) => event === 'progress')
        .at(-1),
    ).toMatchObject({ done: 3, total: 3 });
  });

  test('-o draws on copies of the same size and leaves the pictures alone', async () => {
    const out = path.join(temporary(), 'new', 'folder');
    const before = readFileSync(path.join(folder, 'wide.jpg'));
    const ended = await detect(folder, path.join(folder, 'wide.jpg'), '-o', out, ...low);
    // The same picture twice would be drawn on one file.
    expect([ended.status, errorOf(ended).code]).toEqual([2, 'ERR_USAGE']);
    const drawn = await detect(folder, '-o', out, ...low);
    expect(drawn.status).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['turned.jpg', 'wide.jpg', 'zoo.PNG']);
    for (const picture of JSON.parse(drawn.stdout).pictures) {
      const copy = await sharp(picture.output).raw().toBuffer({ resolveWithObject: true });
      expect([copy.info.width, copy.info.height]).toEqual([picture.width, picture.height]);
      const { format, orientation } = await sharp(picture.output).metadata();
      expect([format, orientation ?? 1]).toEqual([picture.output.endsWith('.PNG') ? 'png' : 'jpeg', 1]);
      // Something else than grey is on it.
      let colour = 0;
      for (let i = 0; i < copy.data.length; i += copy.info.channels) {
        if (Math.abs(copy.data[i]! - copy.data[i + 1]!) > 60) colour++;
      }
      expect(colour).toBeGreaterThan(50);
    }
    expect(readFileSync(path.join(folder, 'wide.jpg')).equals(before)).toBe(true);
  });

  test('never draws on the pictures themselves', async () => {
    const before = readFileSync(path.join(folder, 'wide.jpg'));
    const ended = await detect(path.join(folder, 'wide.jpg'), '-o', `${folder}/.`, ...low);
    expect([ended.status, ended.stdout, errorOf(ended).code]).toEqual([2, '', 'ERR_OUTPUT_EXISTS']);
    expect(readFileSync(path.join(folder, 'wide.jpg')).equals(before)).toBe(true);
  });

  test('nor through a link in the folder for the copies', async () => {
    const wide = path.join(folder, 'wide.jpg');
    const out = temporary();
    symlinkSync(wide, path.join(out, 'wide.jpg'));
    const before = readFileSync(wide);
    const ended = await detect(wide, '-o', out, ...low);
    expect([ended.status, ended.stdout, errorOf(ended).code]).toEqual([2, '', 'ERR_OUTPUT_EXISTS']);
    expect(readFileSync(wide).equals(before)).toBe(true);
  });

  test.each([
    ['a file', () => path.join(folder, 'notes.txt'), 1, 'ERR_IO', /notes\.txt: a file is in its place/],
    ['below a file', () => path.join(folder, 'notes.txt', 'x'), 1, 'ERR_IO', /a file is in its place/],
    ['no name', () => '', 2, 'ERR_USAGE', /name of a folder/],
  ])('refuses %s as the folder for copies', async (_, output, exit, code, message) => {
    const ended = await detect(path.join(folder, 'wide.jpg'), '-o', output(), ...low);
    expect([ended.status, errorOf(ended).code]).toEqual([exit, code]);
    expect(errorOf(ended).message).toMatch(message);
  });

  test('people get a line a picture and a line a box', async () => {
    const args = [path.join(folder, 'wide.jpg'), path.join(folder, 'zoo.PNG'), '--device', 'cpu', ...low];
    const { status, stdout } = await run(['detect', model, ...args]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /wide\.jpg \(160x100\): \d boxe?s?\n( {2}\w+ 0\.\d{3} {2}\([\d., ]+\)\n)+.*zoo\.PNG \(50x50\): /,
    );
  });

  test('a broken picture ends it, or is passed over with --skip-bad', async () => {
    const bad = path.join(temporary(), 'bad.jpg');
    writeFileSync(bad, 'GIF89a no more');
    const wide = path.join(folder, 'wide.jpg');
    const ended = await detect(bad, wide);
    expect([ended.status, ended.stdout, errorOf(ended).code]).toEqual([1, '', 'ERR_BAD_DATA']);
    const skipped = await detect(bad, wide, '--skip-bad');
    expect(skipped.status).toBe(0);
    expect(JSON.parse(skipped.stdout).pictures.map(({ file }: { file: string }) => file)).toEqual([wide]);
    expect(events(skipped)).toContainEqual({ event: 'warning', message: expect.stringContaining('bad.jpg') });
  });

  test.each([
    ['a picture that is not there', 1, 'ERR_BAD_DATA', ['nowhere.jpg']],
    ['no picture', 2, 'ERR_USAGE', []],
    ['a score that is no number', 2, 'ERR_USAGE', ['wide.jpg', '--score-threshold', 'high']],
  ])('refuses %s: exit %i, %s', async (_, exit, code, args) => {
    const ended = await detect(...args);
    expect([ended.status, ended.stdout, errorOf(ended).code]).toEqual([exit, '', code]);
  });

  test('refuses a folder without pictures', async () => {
    const empty = path.join(temporary(), 'empty');
    mkdirSync(empty);
    const ended = await detect(empty);
    expect([ended.status, errorOf(ended).code]).toEqual([1, 'ERR_BAD_DATA']);
    expect(errorOf(ended).message).toContain(empty);
    expect(existsSync(empty)).toBe(true);
  });
});
