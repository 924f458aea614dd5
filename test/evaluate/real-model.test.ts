import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { events, run } from '../cli/command';
import { shared } from '../shared';

const model = path.join(shared, 'models', 'ssd-mobilenet-v1-0.75');
const data = path.join(shared, 'voc');
const available = existsSync(model) && existsSync(data) ? describe : describe.skip;

/** The figures of the shared folder's README, met within 0.003. */
const tolerance = 0.003;

available('the real model on real pictures', () => {
  const detections = path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-')), 'found.json');

  test('eval: detection_map 0.6007, 0.600 over the 9 classes with at least 20 positives', async () => {
    const ended = await run([
      ...['eval', path.join(model, 'model.onnx'), '--detector', path.join(model, 'detector.json')],
      ...['--data', data, '--split', 'val', '--device', 'cpu', '--detections', detections, '--json'],
    ]);
    expect(ended.status).toBe(0);
    const report = JSON.parse(ended.stdout);
    expect(report).toMatchObject({ schema: 'ssd-prune.eval/1', images: 300, device: 'cpu', apVersion: '11point' });
    expect(Math.abs(report.map - 0.6007)).toBeLessThan(tolerance);
    expect(report.meanOver20.classes).toBe(9);
    expect(Math.abs(report.meanOver20.map - 0.6)).toBeLessThan(tolerance);
    const byName = Object.fromEntries(report.classes.map((entry: { name: string }) => [entry.name, entry]));
    expect(byName.person.positives).toBe(668);
    expect([byName.aeroplane.positives, byName.cat.positives, byName.boat.positives]).toEqual([2, 9, 9]);
    expect(byName.bird).toMatchObject({ positives: 0, ap: null });
    const [low, high] = report.bootstrap.map;
    expect(low).toBeLessThan(report.map);
    expect(high).toBeGreaterThan(report.map);
    const bars = events(ended).filter(({ event }) => event === 'progress');
    expect(bars.at(-1)).toMatchObject({ done: 300, total: 300 });
  });

  test.each([
    ['detection_map', '11point', 0.6007],
    ['detection_map', 'integral', 0.5952],
    ['voc', '11point', 0.5997],
    ['voc', 'integral', 0.5997],
  ])('score of the saved detections: %s %s %f', async (protocol, version, expected) => {
    const ended = await run([
      ...['score', detections, '--data', data, '--split', 'val', '--bootstrap', '0', '--json'],
      ...['--protocol', protocol, '--ap-version', version],
    ]);
    expect(ended.status).toBe(0);
    const { map } = JSON.parse(ended.stdout);
    expect(Math.abs(map - expected)).toBeLessThan(tolerance);
  });

  test('detect finds the dog where it is annotated', async () => {
    const ended = await run([
      ...['detect', path.join(model, 'model.onnx'), path.join(data, 'JPEGImages', '000001.jpg')],
      ...['--detector', path.join(model, 'detector.json'), '--device', 'cpu', '--json'],
    ]);
    expect(ended.status).toBe(0);
    const [picture] = JSON.parse(ended.stdout).pictures;
    expect(picture).toMatchObject({ width: 353, height: 500 });
    const dogs = picture.detections.filter((found: { class: string }) => found.class === 'dog');
    expect(dogs).toHaveLength(1);
    // Annotated at (48, 240, 195, 371).
    const [xmin, ymin, xmax, ymax] = dogs[0].box;
    const both = (Math.min(xmax, 195) - Math.max(xmin, 48)) * (Math.min(ymax, 371) - Math.max(ymin, 240));
    expect(both / ((xmax - xmin) * (ymax - ymin) + 147 * 131 - both)).toBeGreaterThan(0.8);
  });
});
